#ifndef SYNCLINE_WORKER_ALLREDUCE_PLAN_PROCESSES_H_
#define SYNCLINE_WORKER_ALLREDUCE_PLAN_PROCESSES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <tuple>
#include <vector>

#include "worker/allreduce/collective_plan.h"

namespace syncline {

// For tests: processes with a vector each, which do what their plans say, in turn, as far as what they need has come.
// Nothing is coded.
class PlanProcesses {
 public:
  PlanProcesses(size_t n, size_t floats);

  // Of process p's memory: segment s has every n-th run of `run` floats, for n of `owners`, and is owners[s]'s.
  FloatSegments Segments(size_t p, const std::vector<size_t>& owners, size_t run, bool sums, Codec codec = CODEC_NONE);
  FloatSegments Segments(size_t p, size_t run, bool sums);
  // All must come to the end of their plans.
  void Run(const std::vector<CollectivePlan>& plans);

  std::vector<std::vector<float>> vectors, sums;  // by process

 private:
  bool Do(size_t p, const CollectiveAction& action);

  std::map<std::tuple<size_t, size_t, uint32_t>, std::vector<float>> messages_;  // from, to, part
};

// Bytes that a process sends to others.
size_t SentBytes(const CollectivePlan& plan, const std::vector<size_t>& others);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_PLAN_PROCESSES_H_
