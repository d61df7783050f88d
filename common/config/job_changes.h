#ifndef SYNCLINE_COMMON_CONFIG_JOB_CHANGES_H_
#define SYNCLINE_COMMON_CONFIG_JOB_CHANGES_H_

#include <string>

#include "proto/job.pb.h"

namespace syncline {

// How an edited manifest differs from that of the running job, both complete, in what cannot change while it
// runs, which is all but shards, workers and rebalance: a line for each field ("modified: batch_size: 8 -> 16"); empty
// if in nothing.
std::string FixedDifferences(const JobManifest& running, JobManifest edited);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_JOB_CHANGES_H_
