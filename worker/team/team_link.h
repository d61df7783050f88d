#ifndef SYNCLINE_WORKER_TEAM_TEAM_LINK_H_
#define SYNCLINE_WORKER_TEAM_TEAM_LINK_H_

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/shared_blocks.h"
#include "common/rpc/security.h"
#include "common/tensor/fragments.h"
#include "common/time/steady_notification.h"
#include "grpcpp/channel.h"
#include "proto/team.pb.h"
#include "worker/team/host_link.h"
#include "worker/team/network_link.h"

namespace syncline {

// The way to one process of a team: delivers messages until each has arrived or the link is closed. On
// one host they go through a HostLink, once that is there and for as long as it stands; otherwise
// through the network. They may overtake each other. Thread-safe; a thread of its own.
class TeamLink {
 public:
  using Done = std::function<void(absl::Status)>;

  // `memory`, which outlives the link: what is lent to a process of this host.
  static absl::StatusOr<std::unique_ptr<TeamLink>> Create(const std::string& address, const SecurityOptions& security,
                                                          const SharedBlocks* memory);
  // Closes. Must not be called from a `done`.
  ~TeamLink();

  // The memory of `data` must stay as it is until `done`, which is called once, on a thread of the
  // link's.
  void Send(TeamMessage head, const Fragments& data, Done done);
  // What has not arrived ends with CANCELLED.
  void Close();
  // After Close: whether deleting it does not wait.
  bool ended() const { return ended_.HasBeenNotified() && network_.idle(); }
  // Whether the other process reads this one's memory.
  bool on_this_host() const;

 private:
  struct Outgoing {
    TeamMessage head;
    Fragments data;
    Done done;
  };

  TeamLink(std::shared_ptr<grpc::Channel> channel, const SharedBlocks* memory);
  void Run();
  void Attach();
  bool SendOnHost(const std::shared_ptr<Outgoing>& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SendOverNetwork(const std::shared_ptr<Outgoing>& message);

  const std::shared_ptr<grpc::Channel> channel_;
  const SharedBlocks* const memory_;
  SteadyNotification ended_;
  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  // For the thread, which hands them to the network: whoever sends has better things to do.
  std::deque<std::shared_ptr<Outgoing>> queue_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<HostLink> host_ ABSL_GUARDED_BY(mu_);
  NetworkLink network_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_TEAM_LINK_H_
