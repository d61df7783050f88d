#include "server/service/parameter_service.h"

#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/wire/chunk_message.h"
#include "server/durability/checkpoint_writer.h"
#include "server/service/pull_reactor.h"
#include "server/service/request_checks.h"

namespace syncline {
namespace {

grpc::ServerUnaryReactor* Finished(grpc::CallbackServerContext* context,
                                   const absl::Status& status) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(ToGrpcStatus(status));
  return reactor;
}

template <typename Message>
grpc::ByteBuffer Encode(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<PullRequest> DecodePullRequest(const grpc::ByteBuffer& buffer) {
  PullRequest request;
  grpc::ByteBuffer copy = buffer;  // shares the bytes
  const grpc::Status status = grpc::SerializationTraits<PullRequest>::Deserialize(&copy, &request);
  if (!status.ok()) return absl::InvalidArgumentError("the request is no PullRequest");
  return request;
}

// Answers a blocking call with what `call` makes of the shard.
template <typename Reply, typename F>
grpc::Status WithShard(ShardHost* host, Reply* reply, const F& call) {
  const auto shard = host->shard();
  if (!shard.ok()) return ToGrpcStatus(shard.status());
  absl::StatusOr<Reply> result = call(**shard);
  if (!result.ok()) return ToGrpcStatus(result.status());
  *reply = *std::move(result);
  return grpc::Status::OK;
}

}  // namespace

absl::Status ParameterService::DoPush(const grpc::ByteBuffer& request, grpc::ByteBuffer* reply) {
  SYNCLINE_ASSIGN_OR_RETURN(const DecodedPush push, DecodePush(request));
  SYNCLINE_RETURN_IF_ERROR(CheckSender(push.header.sender()));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  std::vector<ChunkGradient> gradients;
  gradients.reserve(push.chunks.size());
  for (const WireChunk& c : push.chunks) gradients.push_back({c.chunk, c.version, c.data});
  SYNCLINE_ASSIGN_OR_RETURN(const Shard::PushResult result,
                            shard->Push(push.header.sender(), push.header.clock(), gradients));
  PushReply out;
  out.mutable_skipped()->Assign(result.skipped.begin(), result.skipped.end());
  *reply = Encode(out);
  return absl::OkStatus();
}

grpc::ServerUnaryReactor* ParameterService::Push(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* reply) {
  return Finished(context, DoPush(*request, reply));
}

grpc::ServerUnaryReactor* ParameterService::Pull(grpc::CallbackServerContext* context,
                                                 const grpc::ByteBuffer* request,
                                                 grpc::ByteBuffer* reply) {
  const auto pull = DecodePullRequest(*request);
  if (!pull.ok()) return Finished(context, pull.status());
  const absl::Status sender =
      pull->observer() ? CheckProtocol(pull->sender().protocol()) : CheckSender(pull->sender());
  if (!sender.ok()) return Finished(context, sender);
  auto shard = host_->shard();
  if (!shard.ok()) return Finished(context, shard.status());
  return PullReactor::Start(*std::move(shard), *pull, reply);
}

absl::StatusOr<bool> ParameterService::DoCommit(const CommitRequest& request) {
  SYNCLINE_RETURN_IF_ERROR(CheckSender(request.sender()));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  return shard->Commit(request.sender(), request.clock(), request.samples(),
                       {request.contributors().begin(), request.contributors().end()});
}

grpc::ServerUnaryReactor* ParameterService::Commit(grpc::CallbackServerContext* context,
                                                   const CommitRequest* request,
                                                   CommitReply* reply) {
  const absl::StatusOr<bool> accepted = DoCommit(*request);
  if (accepted.ok()) reply->set_accepted(*accepted);
  return Finished(context, accepted.status());
}

grpc::Status ParameterService::Configure(grpc::ServerContext*, const ConfigureRequest* request,
                                         ConfigureReply* reply) {
  auto configured = host_->Configure(*request);
  if (configured.ok()) *reply = *std::move(configured);
  return ToGrpcStatus(configured.status());
}

grpc::Status ParameterService::UpdateMember(grpc::ServerContext*,
                                            const UpdateMemberRequest* request,
                                            UpdateMemberReply* reply) {
  return WithShard(host_, reply, [&](Shard& shard) { return shard.UpdateMember(*request); });
}

grpc::Status ParameterService::StopAt(grpc::ServerContext*, const StopAtRequest* request,
                                      StopAtReply* reply) {
  return WithShard(host_, reply, [&](Shard& shard) {
    return absl::StatusOr<StopAtReply>(shard.StopAt(request->step()));
  });
}

grpc::Status ParameterService::WriteCheckpoint(grpc::ServerContext*,
                                               const WriteCheckpointRequest* request,
                                               WriteCheckpointReply* reply) {
  return WithShard(host_, reply, [&](Shard& shard) -> absl::StatusOr<WriteCheckpointReply> {
    // A waiting snapshot ends with the step, with StopAt, or with the shard: this returns.
    absl::Notification done;
    absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("no snapshot");
    shard.SnapshotAt(request->step(), [&](auto taken) {
      snapshot = std::move(taken);
      done.Notify();
    });
    done.WaitForNotification();
    SYNCLINE_RETURN_IF_ERROR(snapshot.status());
    WriteCheckpointReply out;
    out.set_step(snapshot->step);
    SYNCLINE_ASSIGN_OR_RETURN(const auto configuration, host_->configuration());
    SYNCLINE_ASSIGN_OR_RETURN(
        const auto written,
        WriteShardSnapshot(*files_, request->directory(), configuration.shard(),
                           configuration.map(), *snapshot));
    for (const CheckpointFile& file : written) *out.add_files() = file;
    return out;
  });
}

grpc::Status ParameterService::StepNorms(grpc::ServerContext*, const StepNormsRequest* request,
                                         StepNormsReply* reply) {
  return WithShard(host_, reply, [&](Shard& shard) { return shard.StepNorms(request->step()); });
}

grpc::Status ParameterService::ShardStatus(grpc::ServerContext*, const ShardStatusRequest*,
                                           ShardStatusReply* reply) {
  return WithShard(host_, reply, [](Shard& shard) {
    return absl::StatusOr<ShardStatusReply>(shard.Status());
  });
}

}  // namespace syncline
