#ifndef SYNCLINE_DEPLOY_CLI_STATUS_TABLE_H_
#define SYNCLINE_DEPLOY_CLI_STATUS_TABLE_H_

#include <string>

#include "proto/coordinator.pb.h"

namespace syncline {

// What `syncline status` prints: the job, its workers, its shards, and how stale reads were.
std::string StatusTable(const ClusterStatusReply& status);

// The same as one JSON object, with the field names of proto/coordinator.proto.
std::string StatusJson(const ClusterStatusReply& status);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_STATUS_TABLE_H_
