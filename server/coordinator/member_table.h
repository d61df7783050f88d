#ifndef SYNCLINE_SERVER_COORDINATOR_MEMBER_TABLE_H_
#define SYNCLINE_SERVER_COORDINATOR_MEMBER_TABLE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "proto/coordinator.pb.h"
#include "server/coordinator/training_sums.h"

namespace syncline {

// The workers of a cluster: ranks, incarnations, when each was last heard of, what it reported. A
// rank is the lowest free one; its incarnation is one higher each time it is given out. Pure: the
// time comes in. Not thread-safe.
class MemberTable {
 public:
  struct Member {
    Incarnation incarnation = 0;
    std::string name;
    bool live = false;
    bool stand_in = false;  // for a lost one, whose rank it has
    std::optional<uint32_t> team;  // that it leads
    uint32_t processes = 1;  // it stands for, at least 1
    absl::Time last_seen;
    WorkerProgress progress;
  };

  // A worker gets a place: `at`, which must be free, or the lowest free rank. Its name replaces that of
  // whoever had the rank before.
  Rank Join(const std::string& name, absl::Time now, std::optional<Rank> at = std::nullopt);
  // The same as it was once done.
  void Rejoin(Rank rank, Incarnation incarnation, const std::string& name, absl::Time now);
  // FAILED_PRECONDITION unless this incarnation is live; says to join again.
  absl::Status Check(Rank rank, Incarnation incarnation) const;
  // A live member was heard of.
  void Touch(Rank rank, absl::Time now) { members_.at(rank).last_seen = now; }
  // As if all had been.
  void TouchAll(absl::Time now) {
    for (auto& [rank, member] : members_) member.last_seen = std::max(member.last_seen, now);
  }
  // Keeps the newest report: sums only grow, except with a new incarnation.
  void Report(Rank rank, const WorkerProgress& progress);
  void SetProcesses(Rank rank, uint32_t count) { members_.at(rank).processes = count; }
  void SetStandIn(Rank rank, bool stand_in) { members_.at(rank).stand_in = stand_in; }
  void SetTeam(Rank rank, std::optional<uint32_t> team) { members_.at(rank).team = team; }
  void RemoveAll() {
    for (auto& [rank, member] : members_) member.live = false;
  }
  void Remove(Rank rank) { members_.at(rank).live = false; }

  // Live members not heard of since `time`.
  std::vector<Rank> SilentSince(absl::Time time) const;
  std::vector<Rank> Live() const;
  // The lowest live rank that is no stand-in.
  std::optional<Rank> First() const;
  // The live member of that name that is no stand-in.
  std::optional<Rank> Named(const std::string& name) const;
  // The live member that leads a team.
  std::optional<Rank> LeaderOf(uint32_t team) const;
  // A live stand-in.
  std::optional<Rank> StandIn() const;
  // Of live members, all together.
  uint64_t LiveProcesses() const;
  const std::map<Rank, Member>& members() const { return members_; }
  const Member& at(Rank rank) const { return members_.at(rank); }

  // Of all members there ever were.
  TrainingSums trained() const;

  // The lowest incarnation not given out, by rank; what a checkpoint keeps.
  std::vector<uint64_t> NextIncarnations() const;
  void RestoreIncarnations(const google::protobuf::RepeatedField<uint64_t>& next);

 private:
  std::map<Rank, Member> members_;
  std::map<Rank, Incarnation> next_;
  // Of incarnations that were replaced.
  TrainingSums past_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_MEMBER_TABLE_H_
