#ifndef SYNCLINE_DEPLOY_CLI_CLUSTER_CLIENT_H_
#define SYNCLINE_DEPLOY_CLI_CLUSTER_CLIENT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "proto/coordinator.grpc.pb.h"

namespace syncline {

// What people ask of a cluster's coordinator. Calls block.
class ClusterClient {
 public:
  static absl::StatusOr<std::unique_ptr<ClusterClient>> Create(const std::string& coordinator,
                                                               const SecurityOptions& security);

  absl::StatusOr<ClusterStatusReply> Status(absl::Duration timeout = absl::Seconds(10));
  absl::StatusOr<CheckpointReply> Checkpoint();
  // `shard`: host:port of the only one to go; empty: the whole job.
  absl::StatusOr<DrainReply> Drain(const std::string& shard);
  absl::Status Scale(const ScaleRequest& request);

 private:
  explicit ClusterClient(std::unique_ptr<Coordinator::Stub> stub) : stub_(std::move(stub)) {}

  const std::unique_ptr<Coordinator::Stub> stub_;
};

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_CLUSTER_CLIENT_H_
