#include "worker/allreduce/hierarchical_plan.h"

#include <algorithm>
#include <utility>

namespace syncline {
namespace {

// A process among those of its host.
struct Position {
  size_t host = 0;
  size_t index = 0;
};

Position PositionOf(const HostGroups& groups, size_t process) {
  for (size_t h = 0; h < groups.hosts.size(); ++h) {
    const auto& host = groups.hosts[h];
    const auto found = std::find(host.begin(), host.end(), process);
    if (found != host.end()) return {h, static_cast<size_t>(found - host.begin())};
  }
  return {};
}

// By process of a host: what its lane sums, for all hosts.
FloatSegments WithinHost(const HostGroups& groups, const FloatSegments& segments, size_t host) {
  FloatSegments within(groups.hosts[host].size());
  for (size_t lane = 0; lane < groups.lanes; ++lane) {
    for (const auto& other : groups.hosts) {
      for (FloatRun run : segments[other[lane]]) {
        run.codec = CODEC_NONE;
        if (groups.hosts.size() > 1) run.sum = nullptr;  // it is not the last sum
        within[lane].push_back(run);
      }
    }
  }
  return within;
}

// By host: the processes of a lane.
std::vector<size_t> Lane(const HostGroups& groups, size_t lane) {
  std::vector<size_t> processes;
  for (const auto& host : groups.hosts) processes.push_back(host[lane]);
  return processes;
}

FloatSegments AmongHosts(const std::vector<size_t>& lane, const FloatSegments& segments) {
  FloatSegments among;
  for (const size_t process : lane) among.push_back(segments[process]);
  return among;
}

// `part`: a plan of these processes.
void Append(CollectivePlan part, const std::vector<size_t>& processes, CollectivePlan* plan) {
  for (CollectiveAction& action : part) {
    action.peer = processes[action.peer];
    plan->push_back(std::move(action));
  }
}

}  // namespace

std::vector<size_t> HostGroups::owners() const {
  std::vector<size_t> all;
  for (const auto& host : hosts) all.insert(all.end(), host.begin(), host.begin() + lanes);
  return all;
}

HostGroups GroupByHost(absl::Span<const std::string> hosts) {
  HostGroups groups;
  for (size_t p = 0; p < hosts.size(); ++p) {
    const auto same = std::find_if(groups.hosts.begin(), groups.hosts.end(), [&](const auto& group) {
      return !hosts[p].empty() && hosts[group.front()] == hosts[p];
    });
    if (same == groups.hosts.end()) {
      groups.hosts.push_back({p});
    } else {
      same->push_back(p);
    }
  }
  groups.lanes = hosts.size();
  for (const auto& group : groups.hosts) groups.lanes = std::min(groups.lanes, group.size());
  return groups;
}

void SortByHost(std::vector<uint32_t>* places, std::vector<std::string>* hosts) {
  HostGroups groups = GroupByHost(*hosts);
  std::stable_sort(groups.hosts.begin(), groups.hosts.end(),
                   [](const auto& one, const auto& other) { return one.size() > other.size(); });
  std::vector<uint32_t> sorted_places;
  std::vector<std::string> sorted_hosts;
  for (const auto& host : groups.hosts) {
    for (const size_t p : host) {
      sorted_places.push_back((*places)[p]);
      sorted_hosts.push_back((*hosts)[p]);
    }
  }
  *places = std::move(sorted_places);
  *hosts = std::move(sorted_hosts);
}

HostGroups EachByItself(size_t processes) { return GroupByHost(std::vector<std::string>(processes)); }

CollectivePlan PlanReduceScatter(const HostGroups& groups, const FloatSegments& segments, size_t me) {
  const auto [host, index] = PositionOf(groups, me);
  const std::vector<size_t>& processes = groups.hosts[host];
  CollectivePlan plan;
  if (processes.size() > 1 || groups.hosts.size() == 1) {
    Append(PlanReduceScatter(WithinHost(groups, segments, host), index), processes, &plan);
  }
  if (index >= groups.lanes || groups.hosts.size() == 1) return plan;
  const std::vector<size_t> lane = Lane(groups, index);
  Append(PlanReduceScatter(AmongHosts(lane, segments), host), lane, &plan);
  return plan;
}

CollectivePlan PlanAllGather(const HostGroups& groups, const FloatSegments& segments, size_t me) {
  const auto [host, index] = PositionOf(groups, me);
  CollectivePlan plan;
  if (index < groups.lanes && groups.hosts.size() > 1) {
    const std::vector<size_t> lane = Lane(groups, index);
    Append(PlanAllGather(AmongHosts(lane, segments), host), lane, &plan);
  }
  Append(PlanAllGather(WithinHost(groups, segments, host), index), groups.hosts[host], &plan);
  return plan;
}

}  // namespace syncline
