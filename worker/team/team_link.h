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
#include "common/rpc/security.h"
#include "common/tensor/fragments.h"
#include "common/time/steady_notification.h"
#include "grpcpp/channel.h"
#include "proto/team.pb.h"

namespace syncline {

// The way to one process of a team: delivers messages one after the other, again and again until each has
// arrived or the link is closed. Thread-safe; a thread of its own.
class TeamLink {
 public:
  using Done = std::function<void(absl::Status)>;

  static absl::StatusOr<std::unique_ptr<TeamLink>> Create(const std::string& address,
                                                          const SecurityOptions& security);
  // Closes. Must not be called from a `done`.
  ~TeamLink();

  // The memory of `data` must stay as it is until `done`, which is called once, on the link's thread.
  void Send(TeamMessage head, const Fragments& data, Done done);
  // What has not arrived ends with CANCELLED.
  void Close();

 private:
  struct Outgoing {
    TeamMessage head;
    Fragments data;
    Done done;
  };

  explicit TeamLink(std::shared_ptr<grpc::Channel> channel);
  void Run();
  absl::Status Deliver(const Outgoing& message);

  const std::shared_ptr<grpc::Channel> channel_;
  SteadyNotification closing_;
  absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::deque<Outgoing> queue_ ABSL_GUARDED_BY(mu_);
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_TEAM_LINK_H_
