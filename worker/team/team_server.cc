#include "worker/team/team_server.h"

#include <limits>
#include <utility>

#include "common/status/status_macros.h"
#include "common/wire/message.h"
#include "common/wire/team_message.h"

namespace syncline {
namespace {

constexpr int kReadyCalls = 8;

}  // namespace

absl::StatusOr<std::unique_ptr<TeamServer>> TeamServer::Start(const std::string& listen,
                                                              const SecurityOptions& security,
                                                              Mailbox* mailbox) {
  std::unique_ptr<TeamServer> server(new TeamServer(mailbox));
  ServerRuntime::Options options;
  options.listen = listen;
  options.security = security;
  // A micro-batch's activations come in one message.
  options.max_message_bytes = std::numeric_limits<int>::max();
  options.listen_on = [server = server.get()](grpc::ServerCompletionQueue* queue) {
    server->ListenOn(queue);
  };
  SYNCLINE_ASSIGN_OR_RETURN(server->runtime_, ServerRuntime::Start(options, {&server->service_}));
  server->runtime_->SetServing(true);
  return server;
}

void TeamServer::ListenOn(grpc::ServerCompletionQueue* queue) {
  const auto method = std::make_shared<RawCall::Method>();
  method->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
    service_.RequestDeliver(context, request, writer, q, q, tag);
  };
  method->serve = [this](RawCall* call) { call->Reply(Deliver(call->request())); };
  RawCall::Listen(method, queue, kReadyCalls);
}

absl::StatusOr<grpc::ByteBuffer> TeamServer::Deliver(const grpc::ByteBuffer& request) {
  SYNCLINE_ASSIGN_OR_RETURN(DecodedTeamMessage message, DecodeTeamMessage(request));
  if (message.head.kind() == TeamMessage::KIND_UNSPECIFIED || message.head.life() == 0 ||
      message.head.number() == 0) {
    return absl::InvalidArgumentError("kind, life and number must be given");
  }
  mailbox_->Put(std::move(message));
  return EncodeMessage(TeamReply());
}

}  // namespace syncline
