#ifndef SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_
#define SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_

#include <algorithm>
#include <cstdint>

#include "proto/job.pb.h"

namespace syncline {

// Several processes that are one member of the cluster together: the stages of a pipeline, or all workers that sum
// their gradients among themselves.

inline bool AllReduces(const JobManifest& job) { return job.aggregation() == AGGREGATION_ALLREDUCE; }

// How many processes a team of the job has; 1: workers are members by themselves.
inline uint32_t TeamSize(const JobManifest& job) {
  return std::max(AllReduces(job) ? job.workers() : job.pipeline().stages(), 1u);
}

// So many of a team's processes share one part of a step's samples.
inline uint32_t ProcessesAShare(const JobManifest& job) { return std::max(job.pipeline().stages(), 1u); }

// Whether a member's gradients are pushed by several processes.
inline bool PushesTogether(const JobManifest& job) { return AllReduces(job) || job.pipeline().stages() > 1; }

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_
