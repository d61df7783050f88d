#include "common/config/job_changes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(JobChangesTest, ShardsWorkersAndRebalanceMayChangeAndNothingElse) {
  JobManifest running, edited;
  running.set_batch_size(8);
  running.set_shards(2);
  running.set_workers(2);
  running.set_rebalance(REBALANCE_OFF);
  edited = running;
  edited.set_shards(5);
  edited.set_workers(3);
  edited.set_rebalance(REBALANCE_AUTO);
  EXPECT_EQ(FixedDifferences(running, edited), "");
  edited.set_batch_size(16);
  EXPECT_THAT(FixedDifferences(running, edited), testing::HasSubstr("batch_size: 8 -> 16"));
}

}  // namespace
}  // namespace syncline
