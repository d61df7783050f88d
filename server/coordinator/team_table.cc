#include "server/coordinator/team_table.h"

#include <algorithm>

namespace syncline {

void TeamTable::Grow(uint32_t teams) {
  while (teams_.size() < teams) teams_.push_back({++generation_, std::vector<Process>(size_)});
}

TeamTable::Process* TeamTable::Find(uint64_t life, Place* at) {
  for (at->team = 0; at->team < teams_.size(); ++at->team) {
    for (at->place = 0; at->place < size_; ++at->place) {
      Process& process = teams_[at->team].processes[at->place];
      if (process.there && process.process.life() == life) return &process;
    }
  }
  return nullptr;
}

void TeamTable::Take(const Place& at, const JoinTeamRequest& request, absl::Time now) {
  Team& team = teams_[at.team];
  Process& process = team.processes[at.place];
  process = {true, {}, now};
  process.process.set_address(request.address());
  process.process.set_life(request.life());
  process.process.set_name(request.name());
  process.process.set_host(request.host());
  team.generation = ++generation_;
}

void TeamTable::Free(const Place& at) {
  Team& team = teams_[at.team];
  team.processes[at.place].there = false;
  team.processes[at.place].process.clear_address();
  team.generation = ++generation_;
}

std::optional<TeamTable::Place> TeamTable::Vacant(uint32_t teams) const {
  for (uint32_t team = 0; team < teams; ++team) {
    if (team >= teams_.size()) return Place{team, 0};
    std::optional<Place> vacant;
    bool led = false;
    for (uint32_t place = 0; place < size_; ++place) {
      const bool there = teams_[team].processes[place].there;
      led = led || there;
      if (there) continue;
      if (!elastic_ || led) return Place{team, place};
      vacant = Place{team, place};  // the highest one below the leader's
    }
    if (vacant) return led ? vacant : Place{team, 0};
  }
  return std::nullopt;
}

std::optional<TeamTable::Place> TeamTable::Join(const JoinTeamRequest& request, uint32_t teams,
                                                absl::Time now) {
  Grow(teams);
  Place at;
  Process* process = Find(request.life(), &at);
  if (request.leaving()) {
    if (process == nullptr) return std::nullopt;
    *process->process.mutable_progress() = request.progress();
    Free(at);
    return std::nullopt;
  }
  if (process == nullptr) {
    const bool had = request.has_team() && request.team() < teams && request.place() < size_;
    if (had && !teams_[request.team()].processes[request.place()].there) {
      at = {request.team(), request.place()};
    } else {
      const std::optional<Place> vacant = Vacant(teams);
      if (!vacant) return std::nullopt;
      at = *vacant;
    }
    Take(at, request, now);
    process = &teams_[at.team].processes[at.place];
  }
  process->last_seen = std::max(process->last_seen, now);
  *process->process.mutable_progress() = request.progress();
  return at;
}

void TeamTable::RemoveSilent(absl::Time time) {
  for (uint32_t team = 0; team < teams_.size(); ++team) {
    for (uint32_t place = 0; place < size_; ++place) {
      const Process& process = teams_[team].processes[place];
      if (process.there && process.last_seen < time) Free({team, place});
    }
  }
}

void TeamTable::TouchAll(absl::Time now) {
  for (Team& team : teams_) {
    for (Process& process : team.processes) process.last_seen = std::max(process.last_seen, now);
  }
}

uint64_t TeamTable::Leader(uint32_t team) const {
  if (team >= teams_.size()) return 0;
  for (const Process& process : teams_[team].processes) {
    if (process.there) return process.process.life();
    if (!elastic_) break;
  }
  return 0;
}

void TeamTable::Describe(uint32_t team, JoinTeamReply* reply) const {
  reply->set_generation(teams_[team].generation);
  for (const Process& process : teams_[team].processes) {
    TeamProcess* const told = reply->add_processes();
    if (!process.there) continue;
    *told = process.process;
    told->clear_progress();
  }
}

std::vector<TeamStatus> TeamTable::Status() const {
  std::vector<TeamStatus> status;
  for (const Team& team : teams_) {
    status.emplace_back();
    for (const Process& process : team.processes) {
      *status.back().add_processes() = process.process;
    }
  }
  return status;
}

}  // namespace syncline
