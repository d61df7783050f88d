#include "server/service/parameter_service.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/wire/chunk_message.h"
#include "server/durability/checkpoint_writer.h"
#include "server/service/request_checks.h"

namespace syncline {
namespace {

// Calls of a method taken from the network before they can be served.
constexpr int kReadyCalls = 16;

template <typename Message>
grpc::ByteBuffer Encode(const Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

template <typename Request>
absl::StatusOr<Request> Decode(const grpc::ByteBuffer& buffer) {
  Request request;
  grpc::ByteBuffer copy = buffer;  // shares the bytes
  if (!grpc::SerializationTraits<Request>::Deserialize(&copy, &request).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request is no ", Request::descriptor()->name()));
  }
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

void ParameterService::ListenOn(grpc::ServerCompletionQueue* queue) {
  const auto listen = [queue](auto request, auto serve) {
    const auto method = std::make_shared<RawCall::Method>();
    method->request = std::move(request);
    method->serve = std::move(serve);
    RawCall::Listen(method, queue, kReadyCalls);
  };
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestPush(context, request, writer, q, q, tag); },
         [this](RawCall* call) { call->Reply(HandlePush(call->request())); });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestPull(context, request, writer, q, q, tag); },
         [this](RawCall* call) { ServePull(call); });
  listen([this](auto* context, auto* request, auto* writer, auto* q,
                void* tag) { RequestCommit(context, request, writer, q, q, tag); },
         [this](RawCall* call) { call->Reply(HandleCommit(call->request())); });
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::HandlePush(const grpc::ByteBuffer& buffer) {
  SYNCLINE_ASSIGN_OR_RETURN(const DecodedPush push, DecodePush(buffer));
  SYNCLINE_RETURN_IF_ERROR(CheckSender(push.header.sender()));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  SYNCLINE_ASSIGN_OR_RETURN(const auto gradients, GradientsOf(push, *shard));
  SYNCLINE_ASSIGN_OR_RETURN(const Shard::PushResult result,
                            shard->Push(push.header.sender(), push.header.clock(), gradients));
  PushReply reply;
  reply.mutable_skipped()->Assign(result.skipped.begin(), result.skipped.end());
  return Encode(reply);
}

absl::StatusOr<std::vector<ChunkGradient>> ParameterService::GradientsOf(const DecodedPush& push,
                                                                         const Shard& shard) {
  std::vector<ChunkGradient> gradients;
  gradients.reserve(push.chunks.size());
  if (push.header.segment() == 0) {
    for (const WireChunk& c : push.chunks) gradients.push_back({c.chunk, c.version, c.data});
    return gradients;
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto segment,
                            memory_->Find(push.header.segment(), push.header.sender()));
  for (const WireChunk& c : push.chunks) {
    SYNCLINE_ASSIGN_OR_RETURN(const size_t bytes, shard.ChunkBytes(c.chunk));
    SYNCLINE_ASSIGN_OR_RETURN(Fragments data, segment->Read(c.offset, bytes));
    gradients.push_back({c.chunk, c.version, std::move(data), /*lent=*/true});
    shared_bytes_ += bytes;
  }
  return gradients;
}

absl::StatusOr<std::shared_ptr<const ParameterService::Place>> ParameterService::PlaceOf(
    const PullRequest& pull) {
  if (pull.segment() == 0) return nullptr;
  if (pull.offsets_size() != pull.chunks_size() || pull.chunks_size() == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("offsets: ", pull.offsets_size(), " for ", pull.chunks_size(),
                     " chunks; a pull to a segment needs one for each chunk, and a chunk"));
  }
  auto place = std::make_shared<Place>();
  SYNCLINE_ASSIGN_OR_RETURN(place->segment, memory_->Find(pull.segment(), pull.sender()));
  place->offsets.assign(pull.offsets().begin(), pull.offsets().end());
  place->attempt = pull.attempt();
  place->segment->Begin(place->offsets[0], place->attempt);
  return place;
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::ReplyTo(const Shard::PullResult& result,
                                                           const Place* place) {
  PullReply head;
  head.set_clock(result.clock);
  head.set_verdict(result.verdict);
  std::vector<WireChunk> chunks;
  chunks.reserve(result.chunks.size());
  if (place == nullptr || result.verdict != PullReply::GRANTED) {
    for (const PulledChunk& c : result.chunks) chunks.push_back({c.chunk, c.version, c.data});
    return EncodePullReply(head, chunks);
  }
  std::vector<LentSegment::Part> parts;
  for (size_t i = 0; i < result.chunks.size(); ++i) {
    const PulledChunk& c = result.chunks[i];
    chunks.push_back({c.chunk, c.version, Fragments()});
    parts.push_back({place->offsets[i], c.data});
    shared_bytes_ += c.data.size();
  }
  SYNCLINE_RETURN_IF_ERROR(
      place->segment->Write(place->offsets[0], place->attempt, parts, parallel_for_));
  head.set_placed(true);
  return EncodePullReply(head, chunks);
}

void ParameterService::ServePull(RawCall* call) {
  const auto pull = Decode<PullRequest>(call->request());
  if (!pull.ok()) return call->Reply(pull.status());
  const absl::Status sender =
      pull->observer() ? CheckProtocol(pull->sender().protocol()) : CheckSender(pull->sender());
  if (!sender.ok()) return call->Reply(sender);
  const auto shard = host_->shard();
  if (!shard.ok()) return call->Reply(shard.status());
  const auto place = PlaceOf(*pull);
  if (!place.ok()) return call->Reply(place.status());
  const Shard::PullTicket ticket = (*shard)->Pull(
      pull->sender(), pull->clock(), {pull->chunks().begin(), pull->chunks().end()},
      pull->observer(), [this, call, place = *place](absl::StatusOr<Shard::PullResult> result) {
        if (!result.ok()) return call->Reply(result.status());
        call->Reply(ReplyTo(*result, place.get()));
      });
  if (ticket != 0) call->OnCancel([shard = *shard, ticket] { shard->CancelPull(ticket); });
}

absl::StatusOr<grpc::ByteBuffer> ParameterService::HandleCommit(const grpc::ByteBuffer& buffer) {
  SYNCLINE_ASSIGN_OR_RETURN(const CommitRequest request, Decode<CommitRequest>(buffer));
  SYNCLINE_RETURN_IF_ERROR(CheckSender(request.sender()));
  SYNCLINE_ASSIGN_OR_RETURN(const auto shard, host_->shard());
  CommitReply reply;
  SYNCLINE_ASSIGN_OR_RETURN(
      const bool accepted,
      shard->Commit(request.sender(), request.clock(), request.samples(),
                    {request.contributors().begin(), request.contributors().end()}));
  reply.set_accepted(accepted);
  return Encode(reply);
}

grpc::Status ParameterService::AttachMemory(grpc::ServerContext*,
                                            const AttachMemoryRequest* request,
                                            AttachMemoryReply* reply) {
  const absl::Status sender = CheckSender(request->sender());
  if (sender.ok()) *reply = memory_->Offer(*request);
  return ToGrpcStatus(sender);
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
  return WithShard(host_, reply, [this](Shard& shard) {
    ShardStatusReply status = shard.Status();
    FillStatus(&status);
    return absl::StatusOr<ShardStatusReply>(std::move(status));
  });
}

void ParameterService::FillStatus(ShardStatusReply* reply) const {
  reply->set_shared_bytes(shared_bytes_);
  reply->set_segments(memory_->segments());
}

}  // namespace syncline
