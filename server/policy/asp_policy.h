#ifndef SYNCLINE_SERVER_POLICY_ASP_POLICY_H_
#define SYNCLINE_SERVER_POLICY_ASP_POLICY_H_

#include <optional>
#include <string>
#include <vector>

#include "server/policy/sync_policy.h"

namespace syncline {

// Asynchronous parallel (Recht et al. 2011, "Hogwild!"): pushes apply on arrival, pulls never wait.
class AspPolicy : public SyncPolicy {
 public:
  bool staged() const override { return false; }
  absl::Status Admit(Rank rank, Incarnation incarnation, Clock clock) override;
  Fenced Fence(Rank rank, Incarnation incarnation) override;
  absl::Status Remove(Rank rank, Incarnation incarnation, Clock clock,
                      const std::optional<StepCommit>& last_commit, bool drop) override;
  using SyncPolicy::Remove;
  PullVerdict OnPull(Clock clock) const override;
  absl::StatusOr<PushVerdict> OnPush(Clock clock) const override;
  absl::StatusOr<bool> Commit(Rank rank, const StepCommit& commit) override;
  std::optional<ReadyStep> Ready() const override { return std::nullopt; }
  void StepApplied() override {}
  // There is no step all shards could stand at: always true, without effect.
  bool StopAt(Clock step) override;
  Clock clock() const override { return members_.Lowest(); }
  void Load(const PolicyState& state) override;
  std::vector<std::string> Waiting() const override { return {}; }
  const ClockTable& members() const override { return members_; }

 private:
  ClockTable members_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_ASP_POLICY_H_
