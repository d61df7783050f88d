#ifndef SYNCLINE_COMMON_RPC_RAW_CALL_H_
#define SYNCLINE_COMMON_RPC_RAW_CALL_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "common/rpc/completion_loop.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/support/async_unary_call.h"

namespace syncline {

// A server's side of one unary call whose request and reply are raw bytes, served on a completion
// queue with a single thread. It deletes itself.
class RawCall {
 public:
  using Writer = grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>;
  struct Method {
    // The generated RequestX() of a service.
    std::function<void(grpc::ServerContext*, grpc::ByteBuffer*, Writer*,
                       grpc::ServerCompletionQueue*, void* tag)>
        request;
    // Begins to serve a call, on the queue's thread: must not block, and leads to one Reply.
    std::function<void(RawCall*)> serve;
  };

  // Serves the calls of `method` that come to `queue`, until the server shuts down; up to `ready` of
  // them are taken from the network ahead.
  static void Listen(std::shared_ptr<const Method> method, grpc::ServerCompletionQueue* queue,
                     int ready);

  const grpc::ByteBuffer& request() const { return request_; }

  // Answers, on any thread. From here on the call belongs to gRPC, unless this is inside `serve`:
  // then it stays until `serve` returns.
  void Reply(absl::StatusOr<grpc::ByteBuffer> reply);
  // Runs `hook` if the caller gives up before the reply; at once if it has. Inside `serve` only.
  void OnCancel(std::function<void()> hook);

 private:
  // One of the events of a call, as a tag.
  struct Step final : public CompletionEvent {
    Step(RawCall* call, void (RawCall::*then)(bool)) : call(call), then(then) {}
    void Happened(bool ok) override { (call->*then)(ok); }

    RawCall* const call;
    void (RawCall::*const then)(bool);
  };

  RawCall(std::shared_ptr<const Method> method, grpc::ServerCompletionQueue* queue);
  void Accepted(bool ok);
  void Ended(bool ok);
  void Sent(bool ok);
  void Release();

  const std::shared_ptr<const Method> method_;
  grpc::ServerCompletionQueue* const queue_;
  grpc::ServerContext context_;
  grpc::ByteBuffer request_;
  grpc::ByteBuffer reply_;
  Writer writer_{&context_};
  Step accepted_{this, &RawCall::Accepted};
  Step ended_{this, &RawCall::Ended};
  Step sent_{this, &RawCall::Sent};
  // The call goes when it has ended and its reply was sent; both come to the queue's thread.
  int open_ = 2;
  bool cancelled_ = false;
  std::function<void()> on_cancel_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_RAW_CALL_H_
