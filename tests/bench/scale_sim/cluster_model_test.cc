#include "tests/bench/scale_sim/cluster_model.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

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

TEST(ClusterModelTest, WrongSettingsNameThemselves) {
  ClusterCase what;
  what.workers = 0;
  EXPECT_THAT(std::string(Simulate(Costs(), what).status().message()),
              testing::HasSubstr("workers is 0; accepted: 1 to 100000"));
  what.workers = 4;
  what.backup_workers = 4;
  EXPECT_FALSE(Simulate(Costs(), what).ok());
}

}  // namespace
}  // namespace syncline
