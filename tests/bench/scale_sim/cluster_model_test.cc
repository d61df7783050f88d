#include "tests/bench/scale_sim/cluster_model.h"

#include <memory>
#include <vector>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/bench/scale_sim/cores.h"

namespace syncline {
namespace {

ClusterCosts Costs() {
  ClusterCosts costs;
  costs.compute_seconds = 0.1;
  costs.shard_cores = 4;
  costs.worker_cores = 2;
  return costs;
}

ClusterSpeed Speed(const ClusterCosts& costs, const ClusterCase& what) {
  const auto speed = Simulate(costs, what);
  SYNCLINE_EXPECT_OK(speed.status());
  return speed.ok() ? *speed : ClusterSpeed();
}

TEST(ClusterModelTest, WithoutCostsOfTalkingAStepIsItsComputation) {
  for (const SyncMode mode : {SYNC, BOUNDED, ASYNC}) {
    ClusterCase what;
    what.mode = mode;
    what.workers = 10;
    what.shards = 3;
    const ClusterSpeed speed = Speed(Costs(), what);
    EXPECT_NEAR(speed.step_seconds, 0.1, 1e-9) << SyncMode_Name(mode);
    EXPECT_NEAR(speed.worker_steps, 100, 1e-6) << SyncMode_Name(mode);
  }
}

TEST(ClusterModelTest, AShardsCardIsSharedByItsWorkers) {
  ClusterCosts costs = Costs();
  costs.bandwidth = 100e6;
  ClusterCase what;
  what.workers = 8;
  what.model_bytes = 10e6;  // 0.1 s each way for one worker
  // In sync all pull at once, one after the other; the last to have its weights computes and pushes.
  EXPECT_NEAR(Speed(costs, what).step_seconds, 8 * 0.1 + 0.1 + 0.1, 1e-6);
  what.push_share = what.pull_share = 0.5;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 8 * 0.05 + 0.1 + 0.05, 1e-6);
  what.push_share = what.pull_share = 1;
  what.workers_a_host = 4;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 2 * 0.1 + 0.1 + 0.1, 1e-6);
}

TEST(ClusterModelTest, OneHostsCoresAreSharedByAll) {
  ClusterCosts costs = Costs();
  costs.one_host_cores = 2;
  ClusterCase what;
  what.workers = 8;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.4, 1e-6);
}

TEST(ClusterModelTest, StragglersHoldUpSyncMostAndAsyncNotAtAll) {
  ClusterCosts costs = Costs();
  costs.slow_share = 0.05;
  costs.slow_factor = 10;
  ClusterCase what;
  what.workers = 32;
  what.steps = 200;
  const double sync = Speed(costs, what).step_seconds;
  what.backup_workers = 4;
  const double backed = Speed(costs, what).worker_steps;
  what.backup_workers = 0;
  what.mode = BOUNDED;
  what.staleness = 4;
  const double bounded = Speed(costs, what).step_seconds;
  what.mode = ASYNC;
  const double async = Speed(costs, what).step_seconds;
  // 1 - 0.95^32 of sync's steps have a slow one in them.
  EXPECT_NEAR(sync, 0.1 + 0.9 * (1 - 0.194), 0.1);
  EXPECT_NEAR(async, 0.1 + 0.9 * 0.05, 0.02);
  EXPECT_LT(bounded, 0.8 * sync);
  EXPECT_GT(bounded, async);
  EXPECT_GT(backed, 2 * 32 / sync) << "steps are made without the slow ones";
}

// The few shards that are simulated stand for many.
TEST(ClusterModelTest, ManyShardsAreAsFastAsTheSumOfTheirLoadsAllows) {
  ClusterCosts costs = Costs();
  costs.bandwidth = 1e9;
  ClusterCase what;
  what.workers = 4;
  what.model_bytes = 100e6;
  what.shards = 4;
  const double few = Speed(costs, what).step_seconds;
  what.shards = 64;  // now the workers' own cards are the limit
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.1 + 0.1 + 0.1, 0.01);
  EXPECT_GT(few, 0.3);
}

// A card that takes as long for the gradient as backward does for making it.
TEST(ClusterModelTest, PushesGoOnWhileBackwardDoes) {
  ClusterCosts costs = Costs();
  costs.bandwidth = 200e6;
  ClusterCase what;
  what.model_bytes = 10e6;  // 0.05 s each way
  what.backward_share = 0.5;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.05, 1e-6) << "one part: nothing hidden";
  what.push_parts = 5;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.01, 1e-6) << "only the last of five shows";
  what.shards = 2;  // a part goes to one of them
  what.push_parts = 10;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.005, 1e-6);
  what.backward_share = 0;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.05, 1e-6) << "all are made at the end";
}

// While a gradient is made on one core, what was made before is sent and received on the other.
TEST(ClusterModelTest, OverlapNeedsACoreToSpare) {
  ClusterCosts costs = Costs();
  costs.worker_byte = 5e-9;
  costs.worker_threads = costs.shard_threads = 1;
  costs.one_host_cores = 2;
  ClusterCase what;
  what.model_bytes = 10e6;  // 0.05 s to receive, 0.05 s to send
  what.backward_share = 0.5;
  what.push_parts = 5;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.01, 1e-6);
  costs.one_host_cores = 1;
  EXPECT_NEAR(Speed(costs, what).step_seconds, 0.05 + 0.1 + 0.05, 1e-6) << "all on one core";
}

// Threads share cores in time slices: a short message is not behind long computations.
TEST(ClusterModelTest, CoresAreSharedInSlices) {
  EventQueue events;
  Cores cores(&events, 1);
  double short_end = 0, long_end = 0, late_end = 0;
  cores.Run(1.0, [&] { long_end = events.now(); });
  cores.Run(0.1, [&] { short_end = events.now(); });
  events.After(0.1, [&] { cores.Run(0.1, [&] { late_end = events.now(); }); });
  events.Run([] { return false; });
  // Halves until 0.1, thirds until the first has had 0.1 of its own, and so on.
  EXPECT_NEAR(short_end, 0.1 + 3 * 0.05, 1e-9);
  EXPECT_NEAR(late_end, short_end + 2 * 0.05, 1e-9);
  EXPECT_NEAR(long_end, 1.2, 1e-9);
  EXPECT_NEAR(cores.busy(), 1.2, 1e-9);
}

TEST(ClusterModelTest, FewTasksHaveACoreEach) {
  EventQueue events;
  Cores cores(&events, 4);
  double end = 0;
  for (int i = 0; i < 4; ++i) cores.Run(0.5, [&] { end = events.now(); });
  events.Run([] { return false; });
  EXPECT_NEAR(end, 0.5, 1e-9);
}

TEST(ClusterModelTest, AThreadDoesOneThingAfterTheOther) {
  EventQueue events;
  const auto cores = std::make_shared<Cores>(&events, 4);
  Threads threads(cores, 2);
  std::vector<double> ends;
  for (int i = 0; i < 3; ++i) threads.Serve(0.5, [&] { ends.push_back(events.now()); });
  events.Run([] { return false; });
  EXPECT_THAT(ends, testing::ElementsAre(testing::DoubleNear(0.5, 1e-9), testing::DoubleNear(0.5, 1e-9),
                                         testing::DoubleNear(1.0, 1e-9)));
}

TEST(ClusterModelTest, WrongSettingsNameThemselves) {
  ClusterCase what;
  what.workers = 0;
  EXPECT_THAT(std::string(Simulate(Costs(), what).status().message()),
              testing::HasSubstr("workers is 0; accepted: 1 to 100000"));
  what.workers = 4;
  what.backup_workers = 4;
  EXPECT_FALSE(Simulate(Costs(), what).ok());
  what.backup_workers = 0;
  what.backward_share = 1.5;
  EXPECT_THAT(std::string(Simulate(Costs(), what).status().message()),
              testing::HasSubstr("backward_share is 1.5; accepted: 0 to 1"));
  what.backward_share = 1;
  what.push_parts = 0;
  EXPECT_FALSE(Simulate(Costs(), what).ok());
}

}  // namespace
}  // namespace syncline
