#include "server/coordinator/coordinator_service.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/rpc/grpc_status.h"
#include "common/wire/protocol_version.h"

namespace syncline {
namespace {

absl::Status CheckProtocol(uint32_t protocol) {
  if (protocol == kProtocolVersion) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("protocol is ", protocol, ", and this coordinator speaks ", kProtocolVersion,
                   ": run the same version of Syncline everywhere"));
}

absl::Status CheckAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon != std::string::npos && colon > 0 && colon + 1 < address.size()) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("address is \"", address, "\": it must be host:port (--advertise)"));
}

template <typename Reply>
grpc::Status Answer(absl::StatusOr<Reply> result, Reply* reply) {
  if (result.ok()) *reply = *std::move(result);
  return ToGrpcStatus(result.status());
}

}  // namespace

grpc::Status CoordinatorService::RegisterShard(grpc::ServerContext*,
                                               const RegisterShardRequest* request,
                                               RegisterShardReply* reply) {
  absl::Status status = CheckProtocol(request->protocol());
  status.Update(CheckAddress(request->address()));
  if (!status.ok()) return ToGrpcStatus(status);
  return Answer(core_->RegisterShard(*request), reply);
}

grpc::Status CoordinatorService::JoinWorker(grpc::ServerContext*, const JoinWorkerRequest* request,
                                            JoinWorkerReply* reply) {
  const absl::Status status = CheckProtocol(request->protocol());
  if (!status.ok()) return ToGrpcStatus(status);
  return Answer(core_->JoinWorker(*request), reply);
}

grpc::Status CoordinatorService::CreateTensors(grpc::ServerContext*,
                                               const CreateTensorsRequest* request,
                                               CreateTensorsReply* reply) {
  return Answer(core_->CreateTensors(*request), reply);
}

grpc::Status CoordinatorService::Lease(grpc::ServerContext*, const LeaseRequest* request,
                                       LeaseReply* reply) {
  return Answer(core_->Lease(*request), reply);
}

grpc::Status CoordinatorService::Heartbeat(grpc::ServerContext* context, const HeartbeatRequest* request,
                                           HeartbeatReply* reply) {
  if (request->member_case() == HeartbeatRequest::MEMBER_NOT_SET) {
    return ToGrpcStatus(absl::InvalidArgumentError("member: give a rank or a shard"));
  }
  const bool shard = request->has_shard();
  const absl::Status may = callers_.Check(*context, shard ? kShardRole : kWorkerRole,
                                          shard ? "the heartbeat of a shard" : "the heartbeat of a worker");
  if (!may.ok()) return ToGrpcStatus(may);
  return Answer(core_->Heartbeat(*request), reply);
}

grpc::Status CoordinatorService::LeaveWorker(grpc::ServerContext*,
                                             const LeaveWorkerRequest* request,
                                             LeaveWorkerReply* reply) {
  return Answer(core_->LeaveWorker(*request), reply);
}

grpc::Status CoordinatorService::ClusterStatus(grpc::ServerContext*, const ClusterStatusRequest*,
                                               ClusterStatusReply* reply) {
  return Answer(core_->ClusterStatus(), reply);
}

grpc::Status CoordinatorService::Checkpoint(grpc::ServerContext*, const CheckpointRequest*,
                                            CheckpointReply* reply) {
  return Answer(core_->Checkpoint(), reply);
}

grpc::Status CoordinatorService::Drain(grpc::ServerContext* context, const DrainRequest* request,
                                       DrainReply* reply) {
  if (request->shard().empty()) {
    const absl::Status may = callers_.Check(*context, kOperatorRole, "ending the job");
    if (!may.ok()) return ToGrpcStatus(may);
  }
  return Answer(core_->Drain(*request), reply);
}

grpc::Status CoordinatorService::Scale(grpc::ServerContext*, const ScaleRequest* request,
                                       ScaleReply* reply) {
  return Answer(core_->Scale(*request), reply);
}

grpc::Status CoordinatorService::JoinTeam(grpc::ServerContext*, const JoinTeamRequest* request,
                                          JoinTeamReply* reply) {
  absl::Status status = CheckProtocol(request->protocol());
  status.Update(CheckAddress(request->address()));
  if (request->life() == 0) status.Update(absl::InvalidArgumentError("life is 0: it must be a random number"));
  if (!status.ok()) return ToGrpcStatus(status);
  return Answer(core_->JoinTeam(*request), reply);
}

}  // namespace syncline
