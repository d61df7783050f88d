#include "worker/allreduce/collective_plan.h"

#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "worker/allreduce/plan_processes.h"

namespace syncline {
namespace {

class CollectivePlanTest : public ::testing::TestWithParam<std::tuple<size_t, size_t>> {
 protected:
  const size_t n_ = std::get<0>(GetParam()), floats_ = std::get<1>(GetParam());
  const size_t run_ = floats_ / 7 + 1;
};

// Short vectors by halves where the processes are a power of two, and messages of a ring that are cut.
INSTANTIATE_TEST_SUITE_P(AllSizes, CollectivePlanTest,
                         ::testing::Combine(::testing::Values(1, 2, 3, 4, 5, 8), ::testing::Values(3, 1000, 600000)));

TEST_P(CollectivePlanTest, EachProcessHasTheSumOfItsSegmentWhereItWantsIt) {
  PlanProcesses processes(n_, floats_);
  const auto before = processes.vectors;
  std::vector<CollectivePlan> plans;
  for (size_t p = 0; p < n_; ++p) plans.push_back(PlanReduceScatter(processes.Segments(p, run_, true), p));
  processes.Run(plans);
  for (size_t i = 0; i < floats_; ++i) {
    double sum = 0;
    for (const auto& vector : before) sum += vector[i];
    const size_t owner = i / run_ % n_;
    ASSERT_NEAR(processes.sums[owner][i], sum, 1e-6 * sum) << i;
    ASSERT_TRUE(n_ != 2 || processes.vectors[owner][i] == before[owner][i]) << "its own gradient is left alone";
    ASSERT_TRUE(n_ == 1 || processes.sums[(owner + 1) % n_][i] == -1) << i;
  }
}

TEST_P(CollectivePlanTest, EachProcessGetsAllSegments) {
  PlanProcesses processes(n_, floats_);
  const auto before = processes.vectors;
  std::vector<CollectivePlan> plans;
  for (size_t p = 0; p < n_; ++p) plans.push_back(PlanAllGather(processes.Segments(p, run_, false), p));
  processes.Run(plans);
  for (size_t i = 0; i < floats_; ++i) {
    for (size_t p = 0; p < n_; ++p) ASSERT_EQ(processes.vectors[p][i], before[i / run_ % n_][i]) << p << " " << i;
  }
}

TEST(CollectivePlanOrderTest, ARingSendsNoFloatMoreThanItMust) {
  const size_t n = 3, floats = 1200000;
  PlanProcesses processes(n, floats);
  size_t sent = 0;
  for (size_t p = 0; p < n; ++p) {
    sent += SentBytes(PlanReduceScatter(processes.Segments(p, floats / n, true), p), {0, 1, 2});
  }
  EXPECT_EQ(sent, (n - 1) * floats * sizeof(float));
}

TEST(CollectivePlanOrderTest, WhatIsCodedGoesStraightToWhoeverSumsIt) {
  const size_t n = 4, floats = 400000;
  for (const Codec codec : {FP16, INT8}) {
    PlanProcesses processes(n, floats);
    std::vector<CollectivePlan> plans;
    size_t sent = 0;
    for (size_t p = 0; p < n; ++p) {
      plans.push_back(PlanReduceScatter(processes.Segments(p, {0, 1, 2, 3}, floats / n, true, codec), p));
      size_t own = 0;
      for (const CollectiveAction& action : plans[p]) {
        if (action.kind != CollectiveAction::kSend) continue;
        for (const FloatRun& run : action.runs) own += run.floats;
        EXPECT_GE(action.runs.front().data, processes.vectors[p].data() + floats / n * action.peer);
        EXPECT_LT(action.runs.front().data, processes.vectors[p].data() + floats / n * (action.peer + 1));
      }
      EXPECT_EQ(own, (n - 1) * floats / n);
      EXPECT_EQ(CodedBytes(plans[p]), SentBytes(plans[p], {0, 1, 2, 3}));
      sent += CodedBytes(plans[p]);
    }
    EXPECT_LE(sent, (n - 1) * floats * (codec == FP16 ? 2.0 : 1.02));
    const auto before = processes.vectors;
    processes.Run(plans);
    for (size_t i = 0; i < floats; ++i) {
      double sum = 0;
      for (const auto& vector : before) sum += vector[i];
      ASSERT_NEAR(processes.sums[i / (floats / n)][i], sum, 1e-6 * sum) << i;
    }
    EXPECT_EQ(processes.vectors, before) << "gradients are left alone";
  }
}

TEST(CollectivePlanOrderTest, CodedMessagesLieOneAfterTheOther) {
  PlanProcesses processes(2, 600000);
  CollectivePlan plan = PlanReduceScatter(processes.Segments(0, {0, 1}, 300000, true, BF16), 0);
  std::vector<char> memory(CodedBytes(plan));
  PlaceCoded(memory.data(), &plan);
  ASSERT_EQ(plan.size(), 4u);
  EXPECT_EQ(plan[0].coded, memory.data());
  EXPECT_EQ(plan[1].coded, memory.data() + MessageBytes(plan[0].runs));
  EXPECT_EQ(plan[2].coded, nullptr) << "what comes lies elsewhere";
}

}  // namespace
}  // namespace syncline
