#include "common/rpc/raw_call.h"

#include <utility>

#include "common/rpc/grpc_status.h"

namespace syncline {

void RawCall::Listen(std::shared_ptr<const Method> method, grpc::ServerCompletionQueue* queue,
                     int ready) {
  for (int i = 0; i < ready; ++i) new RawCall(method, queue);
}

RawCall::RawCall(std::shared_ptr<const Method> method, grpc::ServerCompletionQueue* queue)
    : method_(std::move(method)), queue_(queue) {
  context_.AsyncNotifyWhenDone(&ended_);
  method_->request(&context_, &request_, &writer_, queue_, &accepted_);
}

void RawCall::Accepted(bool ok) {
  if (!ok) {  // the server shuts down
    delete this;
    return;
  }
  new RawCall(method_, queue_);
  method_->serve(this);
}

void RawCall::Reply(absl::StatusOr<grpc::ByteBuffer> reply) {
  if (!reply.ok()) return writer_.FinishWithError(ToGrpcStatus(reply.status()), &sent_);
  reply_ = *std::move(reply);
  writer_.Finish(reply_, grpc::Status::OK, &sent_);
}

void RawCall::OnCancel(std::function<void()> hook) {
  if (cancelled_) return hook();
  on_cancel_ = std::move(hook);
}

void RawCall::Ended(bool) {
  cancelled_ = context_.IsCancelled();
  if (cancelled_ && on_cancel_) std::exchange(on_cancel_, nullptr)();
  Release();
}

void RawCall::Sent(bool) { Release(); }

void RawCall::Release() {
  if (--open_ == 0) delete this;
}

}  // namespace syncline
