#include "common/rpc/call_raw.h"

#include "common/rpc/deadline.h"
#include "common/rpc/grpc_status.h"
#include "grpcpp/client_context.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"

namespace syncline {

absl::StatusOr<grpc::ByteBuffer> CallRaw(const std::shared_ptr<grpc::Channel>& channel,
                                         const std::string& method,
                                         const grpc::ByteBuffer& request, absl::Duration timeout) {
  grpc::GenericStub stub(channel);
  grpc::CompletionQueue queue;
  grpc::ClientContext context;
  context.set_deadline(DeadlineIn(timeout));
  const auto call = stub.PrepareUnaryCall(&context, method, request, &queue);
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->StartCall();
  call->Finish(&reply, &status, &queue);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  queue.Shutdown();
  while (queue.Next(&tag, &ok)) {
  }
  if (!status.ok()) return FromGrpcStatus(status);
  return reply;
}

}  // namespace syncline
