#ifndef SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_
#define SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_

#include <algorithm>
#include <cstdint>

#include "proto/job.pb.h"

namespace syncline {

// Several processes that are one member of the cluster together: those that share a replica of the model, as stages
// of a pipeline and as parts of a stage, or all workers that sum their gradients among themselves.

inline bool AllReduces(const JobManifest& job) {
  return job.aggregation() == AGGREGATION_ALLREDUCE || job.aggregation() == AGGREGATION_HIERARCHICAL;
}

// How many processes share each stage.
inline uint32_t PartsAStage(const JobManifest& job) { return std::max(job.tensor_parallel().size(), 1u); }

// So many processes share a replica of the model, and one part of a step's samples.
inline uint32_t ProcessesAReplica(const JobManifest& job) {
  return std::max(job.pipeline().stages(), 1u) * PartsAStage(job);
}

// How many processes a team of the job has; 1: workers are members by themselves.
inline uint32_t TeamSize(const JobManifest& job) {
  return AllReduces(job) ? std::max(job.workers(), 1u) : ProcessesAReplica(job);
}

// Whether a member's gradients are pushed by several processes.
inline bool PushesTogether(const JobManifest& job) { return AllReduces(job) || ProcessesAReplica(job) > 1; }

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_TEAM_SIZE_H_
