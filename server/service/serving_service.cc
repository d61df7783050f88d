#include "server/service/serving_service.h"

#include "common/rpc/grpc_status.h"
#include "common/rpc/raw_call.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// Pulls taken from the network before they can be served.
constexpr int kReadyCalls = 16;

grpc::Status ReadOnly() {
  return ToGrpcStatus(absl::FailedPreconditionError(
      "this server serves a checkpoint, read only (--read_only): it takes no pushes and is in no cluster"));
}

// Answers with what `call` makes of the checkpoint.
template <typename Reply, typename F>
grpc::Status Answer(const ServingService& service, Reply* reply, const F& call) {
  const auto answer = [&]() -> absl::StatusOr<Reply> {
    SYNCLINE_ASSIGN_OR_RETURN(const auto served, service.served());
    return call(*served);
  }();
  if (answer.ok()) *reply = *answer;
  return ToGrpcStatus(answer.status());
}

}  // namespace

void ServingService::ListenOn(grpc::ServerCompletionQueue* queue) {
  const auto method = std::make_shared<RawCall::Method>();
  method->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
    RequestPull(context, request, writer, q, q, tag);
  };
  method->serve = [this](RawCall* call) {
    const auto checkpoint = served();
    call->Reply(checkpoint.ok() ? (*checkpoint)->Pull(call->request()) : checkpoint.status());
  };
  RawCall::Listen(method, queue, kReadyCalls);
}

void ServingService::Serve(std::shared_ptr<ServedCheckpoint> checkpoint) {
  // The one before goes after the lock, as giving back its memory takes time.
  absl::MutexLock lock(&mu_);
  served_.swap(checkpoint);
}

absl::StatusOr<std::shared_ptr<ServedCheckpoint>> ServingService::served() const {
  absl::MutexLock lock(&mu_);
  if (served_ == nullptr) return absl::UnavailableError("no checkpoint has been read yet");
  return served_;
}

grpc::Status ServingService::GetMap(grpc::ServerContext*, const GetMapRequest*, GetMapReply* reply) {
  return Answer(*this, reply, [](const ServedCheckpoint& served) { return served.GetMap(); });
}

grpc::Status ServingService::ShardStatus(grpc::ServerContext*, const ShardStatusRequest*, ShardStatusReply* reply) {
  return Answer(*this, reply, [](const ServedCheckpoint& served) { return served.Status(); });
}

grpc::Status ServingService::Push(grpc::ServerContext*, const PushRequest*, PushReply*) { return ReadOnly(); }
grpc::Status ServingService::PushPull(grpc::ServerContext*, const PushRequest*, PullReply*) { return ReadOnly(); }
grpc::Status ServingService::Commit(grpc::ServerContext*, const CommitRequest*, CommitReply*) { return ReadOnly(); }
grpc::Status ServingService::Configure(grpc::ServerContext*, const ConfigureRequest*, ConfigureReply*) {
  return ReadOnly();
}

}  // namespace syncline
