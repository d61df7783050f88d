#ifndef SYNCLINE_SERVER_POLICY_SYNC_POLICY_H_
#define SYNCLINE_SERVER_POLICY_SYNC_POLICY_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "proto/parameter_server.pb.h"
#include "server/policy/clock_table.h"

namespace syncline {

// A worker's word that all shards hold what it pushed under `clock`.
struct StepCommit {
  Clock clock = 0;
  // Samples its gradient is the mean of; 0 leaves it out of the step's mean.
  uint64_t samples = 0;
  // sync: the ranks that contribute to the step, ascending.
  std::vector<Rank> contributors;
};

// Decides who waits and when a step is made: pure logic, the same on every shard given the same
// events, with no locks, time or tensors in it. Not thread-safe.
//
// A rank's incarnation is admitted, may commit clock after clock, and at its end is fenced on all
// shards and then removed on all, at the highest clock any of them saw committed.
class SyncPolicy {
 public:
  enum class PullVerdict {
    kWait,
    kGranted,
    kStopped,  // training stops before this step
    kClosed,   // the step was made already
  };
  enum class PushVerdict {
    kTake,
    kTooLate,  // the step was made without it: acknowledge and drop
  };
  struct Contribution {
    Rank rank;
    uint64_t samples;
  };
  // A step with all it needs, its contributions in rank order: perhaps none.
  struct ReadyStep {
    Clock step;
    std::vector<Contribution> contributions;
  };
  struct Fenced {
    // One more than the last clock it committed here.
    Clock committed = 0;
    // sync: that commit, if the incarnation made one.
    std::optional<StepCommit> last_commit;
  };

  virtual ~SyncPolicy() = default;

  // True if pushes wait for the step's other contributions, false if they apply on arrival.
  virtual bool staged() const = 0;

  virtual absl::Status Admit(Rank rank, Incarnation incarnation, Clock clock) = 0;
  virtual Fenced Fence(Rank rank, Incarnation incarnation) = 0;
  // `clock` is the highest Fenced::committed of all shards, `last_commit` the one beside it. With
  // `drop`, what the rank still owes is left out of its steps: it left in good order.
  virtual absl::Status Remove(Rank rank, Incarnation incarnation, Clock clock,
                              const std::optional<StepCommit>& last_commit, bool drop) = 0;
  absl::Status Remove(Rank rank, Incarnation incarnation, Clock clock,
                      const std::optional<StepCommit>& last_commit) {
    return Remove(rank, incarnation, clock, last_commit, false);
  }

  // These three are asked only for members (members().Check).
  virtual PullVerdict OnPull(Clock clock) const = 0;
  virtual absl::StatusOr<PushVerdict> OnPush(Clock clock) const = 0;
  // False: too late, the contribution is dropped. A repeated commit gets the same answer.
  virtual absl::StatusOr<bool> Commit(Rank rank, const StepCommit& commit) = 0;

  // The step to apply now, if any; StepApplied() then opens the next one.
  virtual std::optional<ReadyStep> Ready() const = 0;
  virtual void StepApplied() = 0;

  // sync: what has been committed of the step being collected, in rank order.
  virtual std::vector<Contribution> Collected() const { return {}; }
  // sync: whether the rank's present incarnation is live and committed `clock` last.
  virtual bool HasCommitted(Rank, Clock) const { return false; }

  // Whether pulls for `step` and later are kept from now on.
  virtual bool StopAt(Clock step) = 0;

  // The step being collected (sync) or the lowest live clock.
  virtual Clock clock() const = 0;
  // The members and, in sync, the step and what the lost owe: all but the commits of the step being
  // collected. A new policy that loads it goes on from there.
  virtual PolicyState Save() const;
  virtual void Load(const PolicyState& state) = 0;
  // What pulls wait for, in words, a line each.
  virtual std::vector<std::string> Waiting() const = 0;
  virtual const ClockTable& members() const = 0;

 protected:
  static void LoadMembers(const PolicyState& state, ClockTable* members);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_SYNC_POLICY_H_
