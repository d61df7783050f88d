#include "server/service/parameter_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/failpoint/failpoint.h"
#include "common/rpc/grpc_status.h"
#include "server/service/checkpoint_call.h"
#include "server/service/hand_over_message.h"
#include "server/service/request_checks.h"
#include "server/service/worker_state_calls.h"

namespace syncline {
namespace {

// Calls of a method taken from the network before they can be served.
constexpr int kReadyCalls = 16;

TensorCalls::Done ReplyTo(RawCall* call) {
  return [call](absl::StatusOr<grpc::ByteBuffer> reply) { call->Reply(std::move(reply)); };
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

// The same for a coordinator, which must be the latest there is.
template <typename Request, typename Reply, typename F>
grpc::Status WithShardLed(ShardHost* host, const Request& request, Reply* reply, const F& call) {
  const absl::Status leads = host->CheckGeneration(request.generation());
  return leads.ok() ? WithShard(host, reply, call) : ToGrpcStatus(leads);
}

}  // namespace

void ParameterService::ListenOn(grpc::ServerCompletionQueue* queue) {
  const auto listen = [queue](auto request, auto serve) {
    const auto method = std::make_shared<RawCall::Method>();
    method->request = std::move(request);
    method->serve = std::move(serve);
    RawCall::Listen(method, queue, kReadyCalls);
  };
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestPush(context, request, writer, q, q, tag); },
         [this](RawCall* call) { calls_->Push(call->request(), nullptr, ReplyTo(call)); });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestPull(context, request, writer, q, q, tag); },
         [this](RawCall* call) {
           if (auto give_up = calls_->Pull(call->request(), nullptr, ReplyTo(call))) {
             call->OnCancel(std::move(give_up));
           }
         });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestPushPull(context, request, writer, q, q, tag); },
         [this](RawCall* call) {
           if (auto give_up = calls_->PushPull(call->request(), nullptr, ReplyTo(call))) {
             call->OnCancel(std::move(give_up));
           }
         });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestCommit(context, request, writer, q, q, tag); },
         [this](RawCall* call) { call->Reply(calls_->Commit(call->request(), nullptr)); });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestHandOver(context, request, writer, q, q, tag); },
         [this](RawCall* call) { call->Reply(calls_->HandOver(call->request())); });
}

grpc::Status ParameterService::AttachMemory(grpc::ServerContext* context,
                                            const AttachMemoryRequest* request,
                                            AttachMemoryReply* reply) {
  absl::Status status = CheckSender(request->sender());
  const bool shard = request->sender().rank() == ShardSender().rank();
  status.Update(callers_.Check(*context, shard ? kShardRole : kWorkerRole,
                               shard ? "lending memory as a shard" : "lending memory as a worker"));
  if (status.ok()) *reply = local_->Offer(*request);
  return ToGrpcStatus(status);
}

grpc::Status ParameterService::KeepWorkerState(grpc::ServerContext*,
                                               grpc::ServerReader<WorkerStatePart>* parts,
                                               KeepWorkerStateReply*) {
  const auto shard = host_->shard();
  if (!shard.ok()) return ToGrpcStatus(shard.status());
  return ToGrpcStatus(ReceiveWorkerState(parts, shard->get()));
}

grpc::Status ParameterService::FetchWorkerState(grpc::ServerContext*,
                                                const FetchWorkerStateRequest* request,
                                                grpc::ServerWriter<WorkerStatePart>* parts) {
  const auto shard = host_->shard();
  if (!shard.ok()) return ToGrpcStatus(shard.status());
  return ToGrpcStatus(SendWorkerState(request->sender(), shard->get(), parts));
}

grpc::Status ParameterService::Configure(grpc::ServerContext*, const ConfigureRequest* request,
                                         ConfigureReply* reply) {
  const absl::Status leads = host_->CheckGeneration(request->generation());
  if (!leads.ok()) return ToGrpcStatus(leads);
  auto configured = host_->Configure(*request);
  if (configured.ok()) *reply = *std::move(configured);
  return ToGrpcStatus(configured.status());
}

grpc::Status ParameterService::GetMap(grpc::ServerContext*, const GetMapRequest*,
                                      GetMapReply* reply) {
  return WithShard(host_, reply,
                   [](Shard& shard) { return absl::StatusOr<GetMapReply>(shard.GetMap()); });
}

grpc::Status ParameterService::ChangeMap(grpc::ServerContext*, const ChangeMapRequest* request,
                                         ChangeMapReply* reply) {
  const std::string phase = FailpointSet() ? ChangeMapRequest::Phase_Name(request->phase()) : "";
  Failpoint(absl::StrCat("before.", phase));
  const grpc::Status status = WithShardLed(
      host_, *request, reply, [&](Shard& shard) { return shard.ChangeMap(*request); });
  Failpoint(absl::StrCat("after.", phase));
  return status;
}

grpc::Status ParameterService::UpdateMember(grpc::ServerContext*,
                                            const UpdateMemberRequest* request,
                                            UpdateMemberReply* reply) {
  return WithShardLed(host_, *request, reply,
                      [&](Shard& shard) { return shard.UpdateMember(*request); });
}

grpc::Status ParameterService::StopAt(grpc::ServerContext*, const StopAtRequest* request,
                                      StopAtReply* reply) {
  return WithShardLed(host_, *request, reply, [&](Shard& shard) {
    return absl::StatusOr<StopAtReply>(shard.StopAt(request->step()));
  });
}

grpc::Status ParameterService::EndJob(grpc::ServerContext*, const EndJobRequest* request, EndJobReply*) {
  const absl::Status leads = host_->CheckGeneration(request->generation());
  if (leads.ok()) host_->NoteEnd();
  return ToGrpcStatus(leads);
}

grpc::Status ParameterService::WriteCheckpoint(grpc::ServerContext*,
                                               const WriteCheckpointRequest* request,
                                               WriteCheckpointReply* reply) {
  const absl::Status leads = host_->CheckGeneration(request->generation());
  if (!leads.ok()) return ToGrpcStatus(leads);
  const auto shard = host_->shard();
  if (!shard.ok()) return ToGrpcStatus(shard.status());
  auto written = WriteCheckpointOf(*shard, *request, &checkpoints_);
  if (!written.ok()) return ToGrpcStatus(written.status());
  *reply = *std::move(written);
  return grpc::Status::OK;
}

grpc::Status ParameterService::StepNorms(grpc::ServerContext*, const StepNormsRequest* request,
                                         StepNormsReply* reply) {
  return WithShard(host_, reply, [&](Shard& shard) { return shard.StepNorms(request->step()); });
}

grpc::Status ParameterService::ShardStatus(grpc::ServerContext*, const ShardStatusRequest*,
                                           ShardStatusReply* reply) {
  return WithShard(host_, reply, [this](Shard& shard) {
    ShardStatusReply status = shard.Status();
    FillStatus(&status);
    return absl::StatusOr<ShardStatusReply>(std::move(status));
  });
}

void ParameterService::FillStatus(ShardStatusReply* reply) const {
  reply->set_shared_bytes(calls_->shared_bytes());
  reply->set_segments(local_->blocks());
  // The shard knows no clock, and steps move on with commits.
  const absl::Duration since = absl::Floor(calls_->SinceLastCommit(), absl::Seconds(1));
  if (since == absl::ZeroDuration()) return;
  for (std::string& line : *reply->mutable_waiting()) {
    absl::StrAppend(&line, ", and nobody has committed for ", absl::FormatDuration(since));
  }
}

}  // namespace syncline
