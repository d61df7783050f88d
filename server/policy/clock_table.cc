#include "server/policy/clock_table.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"

namespace syncline {

absl::Status ClockTable::Admit(Rank rank, Incarnation incarnation, Clock clock) {
  const auto it = members_.find(rank);
  if (it != members_.end()) {
    const Member& old = it->second;
    if (incarnation == old.incarnation && old.state == State::kLive) {
      Advance(rank, clock);
      return absl::OkStatus();
    }
    if (incarnation <= old.incarnation) {
      return absl::FailedPreconditionError(
          absl::StrCat("worker rank ", rank, " incarnation ", incarnation, " was given up (",
                       old.incarnation, " is the highest seen): join again"));
    }
    if (old.state != State::kRemoved) {
      return absl::FailedPreconditionError(
          absl::StrCat("worker rank ", rank, " incarnation ", old.incarnation,
                       " is still a member: remove it before admitting ", incarnation));
    }
  }
  members_[rank] = {incarnation, clock, State::kLive};
  UpdateLowest();
  return absl::OkStatus();
}

void ClockTable::Fence(Rank rank, Incarnation incarnation) {
  const auto [it, unheard] = members_.try_emplace(rank);
  Member& member = it->second;
  if (unheard || incarnation > member.incarnation) {
    member = {incarnation, unheard ? 0 : member.clock, State::kRemoved};
  } else if (incarnation == member.incarnation && member.state == State::kLive) {
    member.state = State::kFenced;
  }
}

void ClockTable::Remove(Rank rank, Incarnation incarnation) {
  Fence(rank, incarnation);
  Member& member = members_[rank];
  if (member.incarnation == incarnation) member.state = State::kRemoved;
  UpdateLowest();
}

absl::Status ClockTable::Check(Rank rank, Incarnation incarnation) const {
  const Member* member = Find(rank);
  if (member != nullptr && member->incarnation == incarnation && member->state == State::kLive) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat("worker rank ", rank, " incarnation ",
                                                    incarnation,
                                                    " is not a member of this shard: join again"));
}

void ClockTable::Set(Rank rank, const Member& member) {
  members_[rank] = member;
  UpdateLowest();
}

void ClockTable::Advance(Rank rank, Clock clock) {
  Member& member = members_[rank];
  member.clock = std::max(member.clock, clock);
  UpdateLowest();
}

const ClockTable::Member* ClockTable::Find(Rank rank) const {
  const auto it = members_.find(rank);
  return it == members_.end() ? nullptr : &it->second;
}

bool ClockTable::empty() const {
  return std::all_of(members_.begin(), members_.end(),
                     [](const auto& m) { return m.second.state == State::kRemoved; });
}

std::vector<Rank> ClockTable::Below(Clock clock) const {
  std::vector<Rank> ranks;
  for (const auto& [rank, member] : members_) {
    if (member.state != State::kRemoved && member.clock < clock) ranks.push_back(rank);
  }
  return ranks;
}

void ClockTable::UpdateLowest() {
  if (empty()) return;
  lowest_ = std::numeric_limits<Clock>::max();
  for (const auto& [rank, member] : members_) {
    if (member.state != State::kRemoved) lowest_ = std::min(lowest_, member.clock);
  }
}

}  // namespace syncline
