#ifndef SYNCLINE_COMMON_CLUSTER_WORKER_STATE_H_
#define SYNCLINE_COMMON_CLUSTER_WORKER_STATE_H_

#include <algorithm>

#include "common/codec/codec.h"
#include "common/optimizer/local_steps.h"
#include "proto/job.pb.h"

namespace syncline {

// Whether the workers of a job carry something from step to step that no shard can work out, so that a
// checkpoint must ask them for it: what a codec holds back, or a worker's own optimizer's state.
inline bool WorkersCarryState(const JobManifest& job) {
  const auto& own = job.tensor_codecs();
  return StepsLocally(job) || NeedsFeedback(job.push_codec()) ||
         std::any_of(own.begin(), own.end(),
                     [](const TensorCodec& codec) { return NeedsFeedback(codec.push()); });
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_WORKER_STATE_H_
