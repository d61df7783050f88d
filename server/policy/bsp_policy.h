#ifndef SYNCLINE_SERVER_POLICY_BSP_POLICY_H_
#define SYNCLINE_SERVER_POLICY_BSP_POLICY_H_

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "server/policy/sync_policy.h"

namespace syncline {

// Bulk synchronous parallel (Valiant 1990) with backup workers (Chen et al. 2016).
//
// One step is collected at a time. It is made from the commits of the contributors its lease names,
// less those lost (drop) and less the last `backup_workers` to come. With backup workers a worker
// commits on the lead shard first, and on the others only if accepted there; so each step has the
// same contributors everywhere although all shards follow one rule.
//
// With `drop`, a step all of whose contributors are lost before any commit is made empty once every
// member's clock is beyond it: a worker is admitted at the first step it may be a contributor of.
class BspPolicy final : public SyncPolicy {
 public:
  struct Options {
    Clock first_step = 0;
    size_t backup_workers = 0;
    // What a removed worker still owes is left out instead of awaited from its next incarnation.
    bool drop_lost = false;
  };
  explicit BspPolicy(const Options& options) : options_(options), step_(options.first_step) {}

  bool staged() const override { return true; }
  absl::Status Admit(Rank rank, Incarnation incarnation, Clock clock) override;
  Fenced Fence(Rank rank, Incarnation incarnation) override;
  absl::Status Remove(Rank rank, Incarnation incarnation, Clock clock,
                      const std::optional<StepCommit>& last_commit, bool drop) override;
  using SyncPolicy::Remove;
  PullVerdict OnPull(Clock clock) const override;
  absl::StatusOr<PushVerdict> OnPush(Clock clock) const override;
  absl::StatusOr<bool> Commit(Rank rank, const StepCommit& commit) override;
  std::optional<ReadyStep> Ready() const override;
  void StepApplied() override;
  std::vector<Contribution> Collected() const override;
  bool HasCommitted(Rank rank, Clock clock) const override;
  bool StopAt(Clock step) override;
  Clock clock() const override { return step_; }
  PolicyState Save() const override;
  void Load(const PolicyState& state) override;
  std::vector<std::string> Waiting() const override;
  const ClockTable& members() const override { return members_; }

 private:
  // Steps [begin, end) a rank was a contributor of but will not make.
  struct Gap {
    Clock begin;
    Clock end;
  };

  absl::Status CheckContributors(Rank rank, const StepCommit& commit) const;
  void Record(Rank rank, const StepCommit& commit);
  bool IsLost(Rank rank) const;
  // Contributors of the step that may still commit it.
  std::vector<Rank> Awaited() const;
  bool IsReady() const;

  const Options options_;
  ClockTable members_;
  Clock step_;
  std::optional<Clock> stop_at_;
  // Of the step being collected; empty until its first commit.
  std::vector<Rank> contributors_;
  std::map<Rank, uint64_t> samples_;
  // Last commit of each rank's present incarnation.
  std::map<Rank, StepCommit> last_commit_;
  std::map<Rank, Gap> gaps_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_BSP_POLICY_H_
