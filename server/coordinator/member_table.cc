#include "server/coordinator/member_table.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace syncline {

Rank MemberTable::Join(const std::string& name, absl::Time now, std::optional<Rank> at) {
  Rank rank = at.value_or(0);
  while (members_.count(rank) > 0 && members_.at(rank).live) ++rank;
  Rejoin(rank, next_.try_emplace(rank, 1).first->second, name, now);
  return rank;
}

std::optional<Rank> MemberTable::Named(const std::string& name) const {
  for (const auto& [rank, member] : members_) {
    if (member.live && !member.stand_in && member.name == name) return rank;
  }
  return std::nullopt;
}

std::optional<Rank> MemberTable::LeaderOf(uint32_t team) const {
  for (const auto& [rank, member] : members_) {
    if (member.live && member.team == team) return rank;
  }
  return std::nullopt;
}

std::optional<Rank> MemberTable::StandIn() const {
  for (const auto& [rank, member] : members_) {
    if (member.live && member.stand_in) return rank;
  }
  return std::nullopt;
}

std::optional<Rank> MemberTable::First() const {
  for (const auto& [rank, member] : members_) {
    if (member.live && !member.stand_in) return rank;
  }
  return std::nullopt;
}

void MemberTable::Rejoin(Rank rank, Incarnation incarnation, const std::string& name,
                         absl::Time now) {
  Member& member = members_[rank];
  past_.Add(member.progress);
  member = Member();
  member.incarnation = incarnation;
  member.name = name;
  member.live = true;
  member.last_seen = now;
  next_[rank] = incarnation + 1;
}

absl::Status MemberTable::Check(Rank rank, Incarnation incarnation) const {
  const auto it = members_.find(rank);
  if (it != members_.end() && it->second.live && it->second.incarnation == incarnation) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(
      absl::StrCat("worker rank ", rank, " incarnation ", incarnation,
                   " is not a member of this cluster (any more): join again"));
}

void MemberTable::Report(Rank rank, const WorkerProgress& progress) {
  WorkerProgress& known = members_.at(rank).progress;
  if (progress.samples() >= known.samples()) known = progress;
}

std::vector<Rank> MemberTable::SilentSince(absl::Time time) const {
  std::vector<Rank> ranks;
  for (const auto& [rank, member] : members_) {
    if (member.live && member.last_seen < time) ranks.push_back(rank);
  }
  return ranks;
}

std::vector<Rank> MemberTable::Live() const { return SilentSince(absl::InfiniteFuture()); }

uint64_t MemberTable::LiveProcesses() const {
  uint64_t sum = 0;
  for (const Rank rank : Live()) sum += members_.at(rank).processes;
  return sum;
}

TrainingSums MemberTable::trained() const {
  TrainingSums sums = past_;
  for (const auto& [rank, member] : members_) sums.Add(member.progress);
  return sums;
}

std::vector<uint64_t> MemberTable::NextIncarnations() const {
  std::vector<uint64_t> next;
  for (const auto& [rank, incarnation] : next_) {
    next.resize(std::max<size_t>(next.size(), rank + 1), 1);
    next[rank] = incarnation;
  }
  return next;
}

void MemberTable::RestoreIncarnations(const google::protobuf::RepeatedField<uint64_t>& next) {
  for (int i = 0; i < next.size(); ++i) {
    uint64_t& known = next_[static_cast<Rank>(i)];
    known = std::max(known, next[i]);
  }
}

}  // namespace syncline
