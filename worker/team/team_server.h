#ifndef SYNCLINE_WORKER_TEAM_TEAM_SERVER_H_
#define SYNCLINE_WORKER_TEAM_TEAM_SERVER_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/memory/local_plane.h"
#include "common/rpc/raw_call.h"
#include "common/rpc/security.h"
#include "common/rpc/server_runtime.h"
#include "proto/team.grpc.pb.h"
#include "worker/team/mailbox.h"

namespace syncline {

// Takes the messages of a team's other processes, from the network and from those of this host, and
// puts them where they are looked for. Thread-safe.
class TeamServer {
 public:
  // `mailbox` must outlive the server. `shared_memory`: whether to read that of other processes.
  // Errors as of ServerRuntime::Start.
  static absl::StatusOr<std::unique_ptr<TeamServer>> Start(const std::string& listen, const SecurityOptions& security,
                                                           bool shared_memory, Mailbox* mailbox);

  // host:port with the port taken.
  const std::string& address() const { return runtime_->address(); }

 private:
  using Service = TeamMessages::WithRawMethod_AttachMemory<TeamMessages::WithRawMethod_Deliver<TeamMessages::Service>>;

  TeamServer(bool shared_memory, Mailbox* mailbox);
  void ListenOn(grpc::ServerCompletionQueue* queue);
  absl::StatusOr<grpc::ByteBuffer> Deliver(const grpc::ByteBuffer& request);
  absl::StatusOr<grpc::ByteBuffer> AttachMemory(const grpc::ByteBuffer& request);
  void DeliverOnHost(const std::shared_ptr<WorkerLink>& link, const LocalFrame& frame, absl::string_view body);

  const bool shared_memory_;
  Mailbox* const mailbox_;
  LocalPlane plane_;
  Service service_;
  std::unique_ptr<ServerRuntime> runtime_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_TEAM_SERVER_H_
