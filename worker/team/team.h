#ifndef SYNCLINE_WORKER_TEAM_TEAM_H_
#define SYNCLINE_WORKER_TEAM_TEAM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/memory/shared_blocks.h"
#include "common/rpc/security.h"
#include "common/tensor/fragments.h"
#include "common/time/steady_condition.h"
#include "common/time/steady_notification.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/team.pb.h"
#include "worker/team/mailbox.h"
#include "worker/team/team_link.h"
#include "worker/team/team_server.h"

namespace syncline {

// A message on its way.
class Delivery {
 public:
  // Until it has arrived, or never will.
  void Wait() { done_.WaitForNotification(); }

 private:
  friend class Team;
  absl::Notification done_;
};

// A process's part in the team of those that share a model: its place, which the coordinator gives,
// the way to the others, and what they say. Thread-safe; keeps its place from a thread of its own.
class Team {
 public:
  struct Options {
    std::string coordinator;  // host:port
    SecurityOptions security;
    std::string name;
    std::string listen = "127.0.0.1:0";
    // Where the others reach it; empty: where it listens.
    std::string advertise;
    // Processes of one host read each other's memory (memory()).
    bool shared_memory = true;
    // Which host it counts itself to; empty: the one it runs on.
    std::string host;
  };
  struct View {
    uint32_t team = 0;
    uint32_t place = 0;
    // Another one whenever anybody of the team comes or goes.
    uint64_t generation = 0;
    std::vector<TeamProcess> processes;  // by place
    bool has_place = false;
    // Every place is taken; or the team is elastic, and has begun.
    bool complete = false;
    uint32_t leader = 0;    // the place of the process that leads
    bool finished = false;  // nothing is left to do

    bool leads() const { return has_place && place == leader; }
    // Those that are there.
    std::vector<uint32_t> places() const;
    // Whether both are on one host, as everybody in the team sees it.
    bool together(uint32_t one, uint32_t other) const;
  };

  // Listens, and begins to ask for a place.
  static absl::StatusOr<std::unique_ptr<Team>> Start(const Options& options);
  // Gives its place up.
  ~Team();

  View view() const;
  // Waits for a view that `want` likes, or until `stop` says so (CANCELLED).
  absl::StatusOr<View> Await(const std::function<bool(const View&)>& want, const std::function<bool()>& stop);

  // A try after all that this process has begun with the team as it is.
  TeamAttempt NewAttempt(const View& view) { return {view.generation, ++attempts_}; }

  // Sends to the process at `place`; `data` must stay until the delivery is done, which it also is
  // when that process is no longer there. On one host data that lies in memory() is not copied:
  // then the delivery is done when the other one has read it, or begun another attempt. `head`
  // needs kind and what belongs to it only.
  std::shared_ptr<Delivery> Send(uint32_t place, TeamMessage head, const Fragments& data = Fragments());

  // Where to keep what is sent. A block may go when nothing of it is on its way.
  SharedBlocks* memory() { return &memory_; }
  // Whether what is sent to that process does not go through the network, as far as that is known:
  // until something has been sent to it, it is not.
  bool OnThisHost(uint32_t place) const;

  Mailbox* mailbox() { return &mailbox_; }
  // No other process's.
  uint64_t life() const { return life_; }
  // What the coordinator is told of this process.
  void Report(const TeamProgress& progress);

 private:
  explicit Team(Options options);
  void Run();
  void Ask(bool leaving);
  void Take(const JoinTeamReply& reply);
  // Closes the links to those that are not in the view, and deletes those that have ended.
  void CloseLinks(const View& view);

  const Options options_;
  const uint64_t life_;
  const std::string host_;
  SharedBlocks memory_;
  const SharedBlocks no_memory_{false};  // for other hosts
  Mailbox mailbox_;
  std::unique_ptr<TeamServer> server_;
  std::unique_ptr<Coordinator::Stub> coordinator_;
  std::atomic<uint64_t> numbers_{0}, attempts_{0}, other_hosts_bytes_{0};
  mutable absl::Mutex mu_;
  View view_ ABSL_GUARDED_BY(mu_);
  SteadyCondition viewed_;
  absl::Duration period_ ABSL_GUARDED_BY(mu_) = absl::Milliseconds(100);
  TeamProgress progress_ ABSL_GUARDED_BY(mu_);
  std::map<uint64_t, std::unique_ptr<TeamLink>> links_ ABSL_GUARDED_BY(mu_);  // by life
  std::vector<std::unique_ptr<TeamLink>> closed_links_;                       // the thread's own
  SteadyNotification closing_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_TEAM_H_
