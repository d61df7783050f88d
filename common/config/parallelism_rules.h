#ifndef SYNCLINE_COMMON_CONFIG_PARALLELISM_RULES_H_
#define SYNCLINE_COMMON_CONFIG_PARALLELISM_RULES_H_

#include "common/config/field_log.h"
#include "proto/job.pb.h"

namespace syncline {

// Reports what is wrong with how several workers share a model (pipeline, tensor_parallel, aggregation), and what that
// does not go together with. The other fields are complete, and right by themselves.
void CheckParallelism(const JobManifest& job, FieldLog* log);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_PARALLELISM_RULES_H_
