#include "deploy/cli/cluster_client.h"

#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<ClusterClient>> ClusterClient::Create(
    const std::string& coordinator, const SecurityOptions& security) {
  if (coordinator.empty()) {
    return absl::InvalidArgumentError("--coordinator is missing: give its host:port");
  }
  SYNCLINE_RETURN_IF_ERROR(CheckSecurityOptions(security));
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(coordinator, security));
  return std::unique_ptr<ClusterClient>(new ClusterClient(Coordinator::NewStub(channel)));
}

absl::StatusOr<ClusterStatusReply> ClusterClient::Status(absl::Duration timeout) {
  return Call<ClusterStatusReply>(*stub_, &Coordinator::Stub::ClusterStatus,
                                  ClusterStatusRequest(), timeout);
}

absl::StatusOr<CheckpointReply> ClusterClient::Checkpoint() {
  return Call<CheckpointReply>(*stub_, &Coordinator::Stub::Checkpoint, CheckpointRequest(),
                               absl::Minutes(30));
}

absl::StatusOr<DrainReply> ClusterClient::Drain(const std::string& shard) {
  DrainRequest request;
  request.set_shard(shard);
  return Call<DrainReply>(*stub_, &Coordinator::Stub::Drain, request, absl::Minutes(30));
}

absl::Status ClusterClient::Scale(const ScaleRequest& request) {
  return Call<ScaleReply>(*stub_, &Coordinator::Stub::Scale, request, absl::Seconds(10)).status();
}

}  // namespace syncline
