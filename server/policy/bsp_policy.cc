#include "server/policy/bsp_policy.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::Status BspPolicy::Admit(Rank rank, Incarnation incarnation, Clock clock) {
  const ClockTable::Member* old = members_.Find(rank);
  const bool fresh = old == nullptr || old->incarnation != incarnation;
  SYNCLINE_RETURN_IF_ERROR(members_.Admit(rank, incarnation, clock));
  if (fresh) last_commit_.erase(rank);
  const auto gap = gaps_.find(rank);
  if (gap != gaps_.end()) gap->second.end = std::min(gap->second.end, clock);
  return absl::OkStatus();
}

SyncPolicy::Fenced BspPolicy::Fence(Rank rank, Incarnation incarnation) {
  members_.Fence(rank, incarnation);
  Fenced fenced{members_.Find(rank)->clock, std::nullopt};
  const auto last = last_commit_.find(rank);
  if (last != last_commit_.end()) fenced.last_commit = last->second;
  return fenced;
}

absl::Status BspPolicy::Remove(Rank rank, Incarnation incarnation, Clock clock,
                               const std::optional<StepCommit>& last_commit, bool drop) {
  const ClockTable::Member* member = members_.Find(rank);
  if (member != nullptr && (member->incarnation > incarnation ||
                            (member->incarnation == incarnation &&
                             member->state == ClockTable::State::kRemoved))) {
    return absl::OkStatus();
  }
  // What it committed below the step is in the weights already, here or before this shard was there.
  const bool behind = member != nullptr && member->incarnation == incarnation &&
                      member->clock < clock && clock > step_;
  if (behind) {
    // Another shard saw a commit that did not get here; the pushes before it did.
    if (!last_commit || last_commit->clock + 1 != clock || last_commit->clock != step_) {
      return absl::InvalidArgumentError(absl::StrCat(
          "removing worker rank ", rank, " at clock ", clock, ": this shard collects step ", step_,
          " and saw it commit up to clock ", member->clock,
          "; last_commit must be that of the shard that saw the most, for step ", step_));
    }
    SYNCLINE_RETURN_IF_ERROR(CheckContributors(rank, *last_commit));
    Record(rank, *last_commit);
  }
  members_.Remove(rank, incarnation);
  if (options_.drop_lost || drop) {
    const auto [gap, fresh] = gaps_.try_emplace(rank, Gap{clock, 0});
    // A gap that ends here goes on: the incarnation in between has not made anything.
    if (!fresh && gap->second.end < clock) gap->second.begin = clock;
    gap->second.end = std::numeric_limits<Clock>::max();
  }
  return absl::OkStatus();
}

SyncPolicy::PullVerdict BspPolicy::OnPull(Clock clock) const {
  if (stop_at_ && clock >= *stop_at_) return PullVerdict::kStopped;
  if (clock < step_) return PullVerdict::kClosed;
  return clock == step_ && !IsReady() ? PullVerdict::kGranted : PullVerdict::kWait;
}

absl::StatusOr<SyncPolicy::PushVerdict> BspPolicy::OnPush(Clock clock) const {
  if (clock > step_) {
    return absl::FailedPreconditionError(
        absl::StrCat("clock ", clock, ": this shard still collects step ", step_,
                     "; pull a step before pushing or committing it"));
  }
  return clock == step_ ? PushVerdict::kTake : PushVerdict::kTooLate;
}

absl::StatusOr<bool> BspPolicy::Commit(Rank rank, const StepCommit& commit) {
  if (commit.clock < members_.Find(rank)->clock) return true;
  SYNCLINE_ASSIGN_OR_RETURN(const PushVerdict verdict, OnPush(commit.clock));
  if (verdict == PushVerdict::kTooLate) return false;
  SYNCLINE_RETURN_IF_ERROR(CheckContributors(rank, commit));
  if (IsReady()) return false;
  Record(rank, commit);
  return true;
}

std::optional<SyncPolicy::ReadyStep> BspPolicy::Ready() const {
  if (!IsReady()) return std::nullopt;
  return ReadyStep{step_, Collected()};
}

std::vector<SyncPolicy::Contribution> BspPolicy::Collected() const {
  std::vector<Contribution> collected;
  for (const auto& [rank, samples] : samples_) collected.push_back({rank, samples});
  return collected;
}

bool BspPolicy::HasCommitted(Rank rank, Clock clock) const {
  const ClockTable::Member* member = members_.Find(rank);
  const auto last = last_commit_.find(rank);
  return member != nullptr && member->state == ClockTable::State::kLive &&
         last != last_commit_.end() && last->second.clock == clock;
}

void BspPolicy::StepApplied() {
  ++step_;
  contributors_.clear();
  samples_.clear();
}

bool BspPolicy::StopAt(Clock step) {
  // At `step` itself a worker may have pulled already, and would wait for the others for ever.
  const bool accepted = step_ < step || stop_at_ == step;
  if (accepted) stop_at_ = step;
  return accepted;
}

PolicyState BspPolicy::Save() const {
  PolicyState state = SyncPolicy::Save();
  for (PolicyMember& member : *state.mutable_members()) {
    const auto gap = gaps_.find(member.rank());
    if (gap == gaps_.end()) continue;
    member.set_gap_begin(gap->second.begin);
    member.set_gap_end(gap->second.end);
  }
  return state;
}

void BspPolicy::Load(const PolicyState& state) {
  step_ = state.step();
  LoadMembers(state, &members_);
  for (const PolicyMember& member : state.members()) {
    if (member.gap_end() > 0) gaps_[member.rank()] = {member.gap_begin(), member.gap_end()};
  }
}

std::vector<std::string> BspPolicy::Waiting() const {
  if (members_.empty()) return {};
  // Before the first commit the contributors are not known here; the members behind are a guess.
  const auto ranks = contributors_.empty() ? members_.Below(step_ + 1) : Awaited();
  return {absl::StrCat("step ", step_, ": waiting for the commit of rank ",
                       absl::StrJoin(ranks, ", "))};
}

absl::Status BspPolicy::CheckContributors(Rank rank, const StepCommit& commit) const {
  const std::vector<Rank>& ranks = commit.contributors;
  const bool ascending = std::adjacent_find(ranks.begin(), ranks.end(),
                                            [](Rank a, Rank b) { return a >= b; }) == ranks.end();
  if (!ascending || !std::binary_search(ranks.begin(), ranks.end(), rank)) {
    return absl::InvalidArgumentError(
        absl::StrCat("contributors of step ", commit.clock, " are [", absl::StrJoin(ranks, ", "),
                     "]: they must ascend and name the sender, rank ", rank));
  }
  if (!contributors_.empty() && ranks != contributors_) {
    return absl::InvalidArgumentError(
        absl::StrCat("contributors of step ", commit.clock, " from rank ", rank, " are [",
                     absl::StrJoin(ranks, ", "), "], from earlier commits [",
                     absl::StrJoin(contributors_, ", "), "]: send those of the lease"));
  }
  return absl::OkStatus();
}

void BspPolicy::Record(Rank rank, const StepCommit& commit) {
  contributors_ = commit.contributors;
  samples_[rank] = commit.samples;
  last_commit_[rank] = commit;
  members_.Advance(rank, commit.clock + 1);
}

bool BspPolicy::IsLost(Rank rank) const {
  const auto gap = gaps_.find(rank);
  return gap != gaps_.end() && gap->second.begin <= step_ && step_ < gap->second.end;
}

std::vector<Rank> BspPolicy::Awaited() const {
  std::vector<Rank> ranks;
  for (const Rank rank : contributors_) {
    if (samples_.count(rank) == 0 && !IsLost(rank)) ranks.push_back(rank);
  }
  return ranks;
}

bool BspPolicy::IsReady() const {
  if (contributors_.empty()) {
    return !gaps_.empty() && !members_.empty() && members_.Lowest() > step_;
  }
  const size_t all = contributors_.size();
  const size_t wanted = all > options_.backup_workers ? all - options_.backup_workers : 1;
  return samples_.size() >= std::min(wanted, samples_.size() + Awaited().size());
}

}  // namespace syncline
