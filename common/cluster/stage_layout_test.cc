#include "common/cluster/stage_layout.h"

#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

TEST(StageLayoutTest, ReadsAndWritesRuns) {
  const auto stages = ParseStageLayers("0-3, 4,5-7", 3, 8);
  SYNCLINE_ASSERT_OK(stages);
  EXPECT_EQ(StageLayersText(*stages), "0-3, 4, 5-7");
  EXPECT_EQ((*stages)[1].end, 5);
}

TEST(StageLayoutTest, RefusesWhatLeavesALayerOut) {
  for (const char* wrong : {"", "1-7", "0-3, 5-7", "0-3, 3-7", "0-7-9", "4-0", "a-b", "-1-7", "0-3,"}) {
    EXPECT_THAT(std::string(ParseStageLayers(wrong, 2, 8).status().message()),
                HasSubstr("follow each other from 0"))
        << wrong;
  }
  EXPECT_EQ(ParseStageLayers("0-3, 4-6", 2, 8).status().message(),
            "\"0-3, 4-6\" places layers 0 to 6 on 2 stages: the model has layers 0 to 7, and there are 2 "
            "stages");
  EXPECT_FALSE(ParseStageLayers("0-3, 4-7", 3, 8).ok());
}

std::string Balance(const std::vector<double>& costs, std::vector<bool> needed, int stages) {
  needed.resize(costs.size(), true);
  const auto runs = BalanceStages(costs, needed, stages);
  return runs.ok() ? StageLayersText(*runs) : std::string(runs.status().message());
}

TEST(StageLayoutTest, BalancesCosts) {
  EXPECT_EQ(Balance({1, 1, 1, 1}, {}, 2), "0-1, 2-3");
  EXPECT_EQ(Balance({8, 1, 1, 1, 4, 1}, {}, 2), "0, 1-5");
  EXPECT_EQ(Balance({1, 1, 9, 1, 1}, {}, 3), "0-1, 2, 3-4");
  EXPECT_EQ(Balance({5, 0.1, 5, 0.1, 5, 0.1}, {}, 1), "0-5");
}

TEST(StageLayoutTest, EveryStageHasWeights) {
  // linear, relu, linear, relu: a stage of an activation alone would be cheaper.
  EXPECT_EQ(Balance({9, 8, 1, 9}, {true, false, true, false}, 2), "0-1, 2-3");
  EXPECT_EQ(Balance({9, 8, 1, 9}, {}, 3), "0, 1-2, 3");
  EXPECT_THAT(Balance({9, 5, 1, 0}, {true, false, true, false}, 3),
              HasSubstr("2 layers with weights, too few for 3 stages"));
}

}  // namespace
}  // namespace syncline
