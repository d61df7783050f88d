#ifndef SYNCLINE_WORKER_TEAM_FOLLOWER_H_
#define SYNCLINE_WORKER_TEAM_FOLLOWER_H_

#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/team.pb.h"
#include "worker/model/batch_result.h"
#include "worker/team/team.h"

namespace syncline {

// What a process does of a team's work, when the leader says so. Called by one thread.
class TeamPart {
 public:
  virtual ~TeamPart() = default;

  // Makes all that a step needs which is not there yet, as part of the member that `step` names.
  virtual absl::Status Prepare(const TeamStep& step) = 0;
  // One try of a step: fills in `result` when all that this process pushes is acknowledged. ABORTED if somebody of the
  // team came or went meanwhile.
  virtual absl::Status Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) = 0;
  virtual absl::Status Evaluate(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) = 0;
  // The step's result is on its way to the leader.
  virtual void Told(const TeamStep&) {}
  // The member is none any more, or ended in good order.
  virtual void Forget() = 0;
};

enum class FollowerEnd {
  kOver,     // training is over
  kStopped,  // by `stop`
  kMoved,    // it has another place now, or leads
};

// Does what the leader of a team says until the end, `stop`, or another place. Blocks.
absl::StatusOr<FollowerEnd> Follow(Team* team, TeamPart* part, const std::function<bool()>& stop);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_FOLLOWER_H_
