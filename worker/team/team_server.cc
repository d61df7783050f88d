#include "worker/team/team_server.h"

#include <limits>
#include <utility>

#include "common/status/status_macros.h"
#include "common/wire/message.h"
#include "common/wire/team_message.h"
#include "worker/team/lent_message.h"

namespace syncline {
namespace {

constexpr int kReadyCalls = 8;

absl::Status CheckHead(const TeamMessage& head) {
  if (head.kind() != TeamMessage::KIND_UNSPECIFIED && head.life() != 0 && head.number() != 0) return absl::OkStatus();
  return absl::InvalidArgumentError("kind, life and number must be given");
}

}  // namespace

TeamServer::TeamServer(bool shared_memory, Mailbox* mailbox)
    : shared_memory_(shared_memory),
      mailbox_(mailbox),
      plane_([this](const auto& link, const auto& frame, auto body) { DeliverOnHost(link, frame, body); }) {}

absl::StatusOr<std::unique_ptr<TeamServer>> TeamServer::Start(const std::string& listen,
                                                              const SecurityOptions& security, bool shared_memory,
                                                              Mailbox* mailbox) {
  std::unique_ptr<TeamServer> server(new TeamServer(shared_memory, mailbox));
  ServerRuntime::Options options;
  options.listen = listen;
  options.security = security;
  options.callers = kWorkerRole;
  // A micro-batch's activations come in one message.
  options.max_message_bytes = std::numeric_limits<int>::max();
  options.listen_on = [server = server.get()](grpc::ServerCompletionQueue* queue) { server->ListenOn(queue); };
  SYNCLINE_ASSIGN_OR_RETURN(server->runtime_, ServerRuntime::Start(options, {&server->service_}));
  server->runtime_->SetServing(true);
  return server;
}

void TeamServer::ListenOn(grpc::ServerCompletionQueue* queue) {
  const auto deliver = std::make_shared<RawCall::Method>();
  deliver->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
    service_.RequestDeliver(context, request, writer, q, q, tag);
  };
  deliver->serve = [this](RawCall* call) { call->Reply(Deliver(call->request())); };
  RawCall::Listen(deliver, queue, kReadyCalls);
  const auto attach = std::make_shared<RawCall::Method>();
  attach->request = [this](auto* context, auto* request, auto* writer, auto* q, void* tag) {
    service_.RequestAttachMemory(context, request, writer, q, q, tag);
  };
  attach->serve = [this](RawCall* call) { call->Reply(AttachMemory(call->request())); };
  RawCall::Listen(attach, queue, 1);
}

absl::StatusOr<grpc::ByteBuffer> TeamServer::AttachMemory(const grpc::ByteBuffer& request) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto asked, DecodeMessage<AttachMemoryRequest>(request));
  return EncodeMessage(shared_memory_ ? plane_.Offer(asked) : AttachMemoryReply());
}

absl::StatusOr<grpc::ByteBuffer> TeamServer::Deliver(const grpc::ByteBuffer& request) {
  SYNCLINE_ASSIGN_OR_RETURN(DecodedTeamMessage message, DecodeTeamMessage(request));
  SYNCLINE_RETURN_IF_ERROR(CheckHead(message.head));
  mailbox_->Put(std::move(message));
  return EncodeMessage(TeamReply());
}

void TeamServer::DeliverOnHost(const std::shared_ptr<WorkerLink>& link, const LocalFrame& frame,
                               absl::string_view body) {
  auto message = ReadLentMessage(link, frame, body);
  // Otherwise it is answered when it has been read.
  if (!message.ok()) return link->Reply(frame, message.status(), "");
  mailbox_->Put(*std::move(message));
}

}  // namespace syncline
