#include "worker/pipeline/schedule.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/stage_layout.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

std::string Text(const std::vector<PipelineAction>& actions) {
  std::string text;
  for (const PipelineAction& a : actions) {
    absl::StrAppend(&text, text.empty() ? "" : " ", a.kind == PipelineAction::kForward ? "F" : "B",
                    a.micro_batch);
  }
  return text;
}

TEST(ScheduleTest, GPipeGoesForwardThenBackward) {
  EXPECT_EQ(Text(MakeSchedule(PIPELINE_GPIPE, 1, 3, 3)), "F0 F1 F2 B0 B1 B2");
}

TEST(ScheduleTest, OneForwardOneBackward) {
  EXPECT_EQ(Text(MakeSchedule(PIPELINE_1F1B, 0, 3, 4)), "F0 F1 F2 B0 F3 B1 B2 B3");
  EXPECT_EQ(Text(MakeSchedule(PIPELINE_1F1B, 1, 3, 4)), "F0 F1 B0 F2 B1 F3 B2 B3");
  EXPECT_EQ(Text(MakeSchedule(PIPELINE_1F1B, 2, 3, 4)), "F0 B0 F1 B1 F2 B2 F3 B3");
  EXPECT_EQ(Text(MakeSchedule(PIPELINE_1F1B, 0, 4, 2)), "F0 F1 B0 B1");
}

// Runs all stages, each action taking one unit of time and waiting for what it needs; the time of the last.
int Simulate(PipelineSchedule schedule, int stages, int micros) {
  std::vector<std::vector<PipelineAction>> actions;
  for (int s = 0; s < stages; ++s) actions.push_back(MakeSchedule(schedule, s, stages, micros));
  std::vector<size_t> next(stages);
  std::vector<int> free(stages);
  std::vector<std::vector<int>> forward(stages, std::vector<int>(micros, -1)), backward = forward;
  for (bool moved = true; moved;) {
    moved = false;
    for (int s = 0; s < stages; ++s) {
      if (next[s] == actions[s].size()) continue;
      const PipelineAction a = actions[s][next[s]];
      const bool is_forward = a.kind == PipelineAction::kForward;
      int ready = 0;
      if (is_forward && s > 0) ready = forward[s - 1][a.micro_batch];
      if (!is_forward) {
        ready = s + 1 < stages ? backward[s + 1][a.micro_batch] : forward[s][a.micro_batch];
      }
      if (ready < 0) continue;
      free[s] = std::max(free[s], ready) + 1;
      (is_forward ? forward : backward)[s][a.micro_batch] = free[s];
      ++next[s];
      moved = true;
    }
  }
  for (int s = 0; s < stages; ++s) EXPECT_EQ(next[s], actions[s].size()) << "stuck at stage " << s;
  return *std::max_element(free.begin(), free.end());
}

TEST(ScheduleTest, NoStageIsStuckAndTheBubbleIsTheFormulas) {
  for (const PipelineSchedule schedule : {PIPELINE_GPIPE, PIPELINE_1F1B}) {
    for (int stages = 1; stages <= 5; ++stages) {
      for (int micros = 1; micros <= 9; ++micros) {
        const int busy = 2 * micros;
        const int total = Simulate(schedule, stages, micros);
        EXPECT_DOUBLE_EQ(1.0 - static_cast<double>(busy) / total, BubbleShare(stages, micros))
            << stages << " stages, " << micros << " micro-batches";
      }
    }
  }
}

TEST(ScheduleTest, CountsWhatIsUnderWay) {
  for (const PipelineSchedule schedule : {PIPELINE_GPIPE, PIPELINE_1F1B}) {
    for (int stage = 0; stage < 4; ++stage) {
      int under_way = 0, most = 0;
      for (const PipelineAction& a : MakeSchedule(schedule, stage, 4, 6)) {
        under_way += a.kind == PipelineAction::kForward ? 1 : -1;
        most = std::max(most, under_way);
      }
      EXPECT_EQ(under_way, 0);
      EXPECT_EQ(most, MicroBatchesUnderWay(schedule, stage, 4, 6));
    }
  }
}

}  // namespace
}  // namespace syncline
