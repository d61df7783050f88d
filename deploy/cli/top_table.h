#ifndef SYNCLINE_DEPLOY_CLI_TOP_TABLE_H_
#define SYNCLINE_DEPLOY_CLI_TOP_TABLE_H_

#include <string>

#include "proto/coordinator.pb.h"

namespace syncline {

// What a cluster did between two of its states, `seconds` apart: what each worker spent its time on and
// how much of its communication it hid, how many bytes went through each shard, and how stale pulls and
// pushes were.
std::string TopTable(const ClusterStatusReply& before, const ClusterStatusReply& after,
                     double seconds);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_TOP_TABLE_H_
