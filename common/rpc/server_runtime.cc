#include "common/rpc/server_runtime.h"

#include "absl/strings/str_cat.h"
#include "common/rpc/deadline.h"
#include "common/rpc/role_check.h"
#include "common/rpc/transport_arguments.h"
#include "common/status/status_macros.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/health_check_service_interface.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<ServerRuntime>> ServerRuntime::Start(
    const Options& options, const std::vector<grpc::Service*>& services) {
  SYNCLINE_RETURN_IF_ERROR(CheckListenAddress(options.listen, options.security));
  SYNCLINE_ASSIGN_OR_RETURN(const auto credentials, ServerCredentialsFor(options.security));
  if (options.security.checks_roles()) {
    credentials->SetAuthMetadataProcessor(std::make_shared<RoleCheck>(options.callers));
  }
  const size_t colon = options.listen.rfind(':');
  if (colon == std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("--listen is \"", options.listen, "\": it must be host:port"));
  }
  grpc::EnableDefaultHealthCheckService(false);
  std::unique_ptr<ServerRuntime> runtime(new ServerRuntime);
  static const bool reflection = (grpc::reflection::InitProtoReflectionServerBuilderPlugin(), true);
  (void)reflection;

  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort(options.listen, credentials, &port);
  builder.RegisterService(&runtime->health_);
  for (grpc::Service* service : services) builder.RegisterService(service);
  builder.SetMaxReceiveMessageSize(options.max_message_bytes);
  builder.SetMaxSendMessageSize(-1);
  // With it a second daemon would share the port instead of failing.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  ForEachTransportArgument([&builder](const std::string& name, int value) {
    builder.AddChannelArgument(name, value);
  });
  // Clients ping connections that wait for other workers.
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);

  for (int i = 0; options.listen_on && i < options.queues; ++i) {
    runtime->queues_.push_back(builder.AddCompletionQueue());
  }
  runtime->server_ = builder.BuildAndStart();
  if (runtime->server_ == nullptr || port == 0) {
    // gRPC wants a queue shut down and emptied before it goes.
    for (const auto& queue : runtime->queues_) CompletionLoop(queue.get());
    return absl::UnavailableError(
        absl::StrCat("cannot listen on --listen=", options.listen,
                     ": the port is in use, or the address is not this machine's"));
  }
  runtime->address_ = absl::StrCat(options.listen.substr(0, colon), ":", port);
  for (const auto& queue : runtime->queues_) {
    options.listen_on(queue.get());
    runtime->loops_.push_back(std::make_unique<CompletionLoop>(queue.get()));
  }
  return runtime;
}

ServerRuntime::~ServerRuntime() {
  if (server_ != nullptr) Shutdown(absl::ZeroDuration());
}

void ServerRuntime::SetServing(bool serving) {
  health_.SetServing(serving);
}

void ServerRuntime::Shutdown(absl::Duration grace) {
  health_.Close();
  server_->Shutdown(DeadlineIn(grace));
  loops_.clear();
  server_->Wait();
}

}  // namespace syncline
