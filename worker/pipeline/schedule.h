#ifndef SYNCLINE_WORKER_PIPELINE_SCHEDULE_H_
#define SYNCLINE_WORKER_PIPELINE_SCHEDULE_H_

#include <vector>

#include "proto/job.pb.h"

namespace syncline {

// In which order a stage of a pipeline computes its micro-batches. Pure functions; stages are counted from
// the input. Backward passes come in the order of the micro-batches in every schedule, so that gradients add
// up to the same bits.

struct PipelineAction {
  enum Kind { kForward, kBackward };
  Kind kind;
  int micro_batch;

  bool operator==(const PipelineAction& other) const {
    return kind == other.kind && micro_batch == other.micro_batch;
  }
};

// GPipe (Huang et al. 2019, arXiv 1811.06965): all forward, then all backward. 1F1B (PipeDream-Flush,
// Narayanan et al. 2021, arXiv 2006.09503): a stage begins with as many forward passes as there are stages after
// it, then one backward follows each forward.
std::vector<PipelineAction> MakeSchedule(PipelineSchedule schedule, int stage, int stages,
                                         int micro_batches);

// How many micro-batches are between their forward and backward on a stage at a time, at most.
int MicroBatchesUnderWay(PipelineSchedule schedule, int stage, int stages, int micro_batches);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_SCHEDULE_H_
