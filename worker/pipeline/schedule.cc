#include "worker/pipeline/schedule.h"

#include <algorithm>

namespace syncline {

int MicroBatchesUnderWay(PipelineSchedule schedule, int stage, int stages, int micro_batches) {
  if (schedule == PIPELINE_GPIPE) return micro_batches;
  return std::min(stages - stage, micro_batches);
}

std::vector<PipelineAction> MakeSchedule(PipelineSchedule schedule, int stage, int stages,
                                         int micro_batches) {
  // Forward passes before the first backward.
  const int ahead = MicroBatchesUnderWay(schedule, stage, stages, micro_batches);
  std::vector<PipelineAction> actions;
  for (int m = 0; m < ahead; ++m) actions.push_back({PipelineAction::kForward, m});
  for (int m = 0; m < micro_batches; ++m) {
    actions.push_back({PipelineAction::kBackward, m});
    if (m + ahead < micro_batches) actions.push_back({PipelineAction::kForward, m + ahead});
  }
  return actions;
}

}  // namespace syncline
