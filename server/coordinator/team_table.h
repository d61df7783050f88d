#ifndef SYNCLINE_SERVER_COORDINATOR_TEAM_TABLE_H_
#define SYNCLINE_SERVER_COORDINATOR_TEAM_TABLE_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// The places of the processes that share models: `size` in each team. A process keeps its place for as
// long as it is heard of; one that comes gets the lowest free one, of the first team that has one. If teams are
// elastic, whoever is at the lowest place leads, so one that comes gets one above that where it can. Pure: the time
// comes in. Not thread-safe.
//
// Nothing of it is kept for the next coordinator: processes tell that one where they are.
class TeamTable {
 public:
  struct Place {
    uint32_t team = 0;
    uint32_t place = 0;
  };

  // `generation`: above all that a coordinator before this one has given out.
  TeamTable(uint32_t size, bool elastic, uint64_t generation)
      : size_(size), elastic_(elastic), generation_(generation) {}

  // A process was heard of. Its place in one of the first `teams` teams; none if all are taken, and for one
  // that is leaving.
  std::optional<Place> Join(const JoinTeamRequest& request, uint32_t teams, absl::Time now);
  // Those not heard of since `time` lose their places.
  void RemoveSilent(absl::Time time);
  // As if all had been heard of.
  void TouchAll(absl::Time now);

  // The life of the process that leads a team; 0 if there is none.
  uint64_t Leader(uint32_t team) const;
  // What the processes of a team are told.
  void Describe(uint32_t team, JoinTeamReply* reply) const;
  // By team, with what the last one at each place has reported; without an address if nobody is there.
  std::vector<TeamStatus> Status() const;
  // The place of the first `teams` teams that the next one who comes gets.
  std::optional<Place> Vacant(uint32_t teams) const;

 private:
  struct Process {
    bool there = false;
    TeamProcess process;
    absl::Time last_seen;
  };
  struct Team {
    uint64_t generation = 0;
    std::vector<Process> processes;  // by place
  };

  Process* Find(uint64_t life, Place* at);
  void Take(const Place& at, const JoinTeamRequest& request, absl::Time now);
  void Free(const Place& at);
  void Grow(uint32_t teams);

  const uint32_t size_;
  const bool elastic_;
  uint64_t generation_;
  std::vector<Team> teams_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_TEAM_TABLE_H_
