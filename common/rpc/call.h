#ifndef SYNCLINE_COMMON_RPC_CALL_H_
#define SYNCLINE_COMMON_RPC_CALL_H_

#include <chrono>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "grpcpp/client_context.h"

namespace syncline {

// Blocking unary calls. `method` is a stub's member function:
//
//   StatusOr<JoinWorkerReply> reply = Call<JoinWorkerReply>(
//       *stub, &Coordinator::Stub::JoinWorker, request, absl::Seconds(5));
//
// One attempt; DEADLINE_EXCEEDED after `timeout`.
template <typename Reply, typename Stub, typename Method, typename Request>
absl::StatusOr<Reply> Call(Stub& stub, Method method, const Request& request,
                           absl::Duration timeout) {
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(timeout));
  Reply reply;
  const grpc::Status status = (stub.*method)(&context, request, &reply);
  if (!status.ok()) return FromGrpcStatus(status);
  return reply;
}

// Calls `attempt` until it succeeds, fails for good (not IsTransient), or `deadline` has passed;
// waits 20 ms to 1 s in between, doubling. The last error is returned, with `what` ("joining
// HOST:PORT") before its message. Blocks.
absl::Status RetryUntil(absl::Time deadline, const std::string& what,
                        const std::function<absl::Status()>& attempt);

// The same with a reply: every attempt has at most `timeout`.
template <typename Reply, typename Stub, typename Method, typename Request>
absl::StatusOr<Reply> CallUntil(absl::Time deadline, const std::string& what, Stub& stub,
                                Method method, const Request& request, absl::Duration timeout) {
  absl::StatusOr<Reply> reply = absl::UnknownError("not called");
  const absl::Status status = RetryUntil(deadline, what, [&] {
    reply = Call<Reply>(stub, method, request, timeout);
    return reply.status();
  });
  if (!status.ok()) return status;
  return reply;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_CALL_H_
