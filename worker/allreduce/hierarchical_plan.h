#ifndef SYNCLINE_WORKER_ALLREDUCE_HIERARCHICAL_PLAN_H_
#define SYNCLINE_WORKER_ALLREDUCE_HIERARCHICAL_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "worker/allreduce/collective_plan.h"

namespace syncline {

// Sums within each host first, and then among hosts, so that hosts send each other as much as if each had one process.
// With L the least number of processes on any host, the first L of each host have a lane each: a lane's process adds
// up its part within the host, and then sums it with those of the same lane on other hosts, of which each ends with a
// segment. Gathers go the other way. Pure: the same for the same arguments.

struct HostGroups {
  std::vector<std::vector<size_t>> hosts;  // processes, ascending; hosts by the first of each
  size_t lanes = 0;

  // Those with a segment: the first `lanes` of each host.
  std::vector<size_t> owners() const;
};
// `hosts`: by process. An empty one is nobody else's.
HostGroups GroupByHost(absl::Span<const std::string> hosts);
// Puts places host by host, hosts of more before those of fewer, else as they are: so what each has to do depends on
// how many are on each host alone. `hosts`: of the places, which follow.
void SortByHost(std::vector<uint32_t>* places, std::vector<std::string>* hosts);
// Each by itself: a sum among all processes.
HostGroups EachByItself(size_t processes);

// As PlanReduceScatter and PlanAllGather; `segments` are empty of all but owners. What goes between hosts is coded, as
// the runs say; what stays on one is not.
CollectivePlan PlanReduceScatter(const HostGroups& groups, const FloatSegments& segments, size_t me);
CollectivePlan PlanAllGather(const HostGroups& groups, const FloatSegments& segments, size_t me);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_HIERARCHICAL_PLAN_H_
