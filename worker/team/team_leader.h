#ifndef SYNCLINE_WORKER_TEAM_TEAM_LEADER_H_
#define SYNCLINE_WORKER_TEAM_TEAM_LEADER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "proto/coordinator.pb.h"
#include "proto/team.pb.h"
#include "worker/model/batch_result.h"
#include "worker/team/team.h"

namespace syncline {

// What the process that leads a team says to the others, and hears of them. Used by one thread.
class TeamLeader {
 public:
  struct Options {
    Team* team = nullptr;
    // The member that the team is.
    Rank rank = 0;
    Incarnation incarnation = 0;
    // Asked while the team is not complete: true ends that.
    std::function<bool()> stop;
  };
  explicit TeamLeader(Options options) : options_(std::move(options)) {}

  // Waits until the team is complete and has all others begin a step, or an evaluation. CANCELLED on `stop`,
  // FAILED_PRECONDITION if another process leads by now.
  absl::StatusOr<TeamAttempt> Begin(TeamMessage::Kind kind, TeamStep step);
  // What the others have made of it, added up. ABORTED if somebody came or went.
  absl::StatusOr<BatchResult> AwaitOthers();
  // Of the present attempt, with this one.
  int processes() const { return static_cast<int>(others_.size()) + 1; }
  // Lets the others go: for good with `over`, else to another leader.
  void End(bool over);

 private:
  const Options options_;
  std::vector<uint32_t> others_;  // their places
  std::optional<uint64_t> led_;   // the generation of the last attempt
};

// The order for a step.
TeamStep StepOf(const StepLease& lease);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_TEAM_LEADER_H_
