#include "server/policy/asp_policy.h"

namespace syncline {

absl::Status AspPolicy::Admit(Rank rank, Incarnation incarnation, Clock clock) {
  return members_.Admit(rank, incarnation, clock);
}

SyncPolicy::Fenced AspPolicy::Fence(Rank rank, Incarnation incarnation) {
  members_.Fence(rank, incarnation);
  return {members_.Find(rank)->clock, std::nullopt};
}

absl::Status AspPolicy::Remove(Rank rank, Incarnation incarnation, Clock,
                               const std::optional<StepCommit>&, bool) {
  // What it pushed is applied already: there is nothing to agree on with the other shards.
  members_.Remove(rank, incarnation);
  return absl::OkStatus();
}

SyncPolicy::PullVerdict AspPolicy::OnPull(Clock) const { return PullVerdict::kGranted; }

absl::StatusOr<SyncPolicy::PushVerdict> AspPolicy::OnPush(Clock) const {
  return PushVerdict::kTake;
}

absl::StatusOr<bool> AspPolicy::Commit(Rank rank, const StepCommit& commit) {
  members_.Advance(rank, commit.clock + 1);
  return true;
}

void AspPolicy::Load(const PolicyState& state) { LoadMembers(state, &members_); }

bool AspPolicy::StopAt(Clock) { return true; }

}  // namespace syncline
