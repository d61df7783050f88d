#ifndef SYNCLINE_COMMON_OPTIMIZER_LOCAL_STEPS_H_
#define SYNCLINE_COMMON_OPTIMIZER_LOCAL_STEPS_H_

#include <cstdint>

#include "proto/job.pb.h"

namespace syncline {

// Who optimizes what in a job, filled in by common/config. Usually the shards run job.optimizer() on
// gradients. With local_steps above 1 the workers run it, each on weights of its own, and the shards
// take the mean change for a gradient: DiLoCo (Douillard et al. 2023, arXiv 2311.08105).

inline bool StepsLocally(const JobManifest& job) { return job.local_steps() > 1; }

// Samples a worker takes in between two exchanges with the shards.
inline uint64_t SamplesPerExchange(const JobManifest& job) {
  return uint64_t{job.batch_size()} * (StepsLocally(job) ? job.local_steps() : 1);
}

// What the shards run.
inline Optimizer ShardOptimizer(const JobManifest& job) {
  if (!StepsLocally(job)) return job.optimizer();
  Optimizer outer;
  outer.set_kind(NESTEROV);
  outer.set_learning_rate(job.outer_learning_rate());
  outer.set_momentum(job.outer_momentum());
  return outer;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_LOCAL_STEPS_H_
