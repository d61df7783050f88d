// Promise 2 while chunks move: every acknowledged push is applied, once.

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/ones.h"

namespace syncline {
namespace {

class RescaleByMode : public testing::TestWithParam<SyncMode> {};

TEST_P(RescaleByMode, EveryPushIsAppliedOnce) {
  JobManifest job = OnesJobWithTable(GetParam());
  job.set_shards(2);
  InProcessCluster cluster(job);
  Ones ones(cluster, 3);
  ones.Begin(1000);
  for (const int shards : {4, 1, 3}) {
    const ClusterStatusReply now = cluster.Status();
    const int there = now.map().shards_size() + now.rescale().spare_size();
    for (int i = there; i < shards; ++i) cluster.StartShard();
    cluster.Scale(static_cast<uint32_t>(shards));
    SYNCLINE_EXPECT_OK(cluster.WaitForShards(shards));
  }
  ones.ExpectAllCount();
}

// Copies move along with the chunks.
TEST_P(RescaleByMode, WithCopies) {
  JobManifest job = OnesJobWithTable(GetParam());
  job.set_shards(2);
  job.set_replicas(2);
  InProcessCluster cluster(job);
  Ones ones(cluster, 2);
  ones.Begin(500);
  cluster.StartShard();
  SYNCLINE_EXPECT_OK(cluster.WaitForShards(3));
  cluster.Scale(2);
  SYNCLINE_EXPECT_OK(cluster.WaitForShards(2));
  ones.ExpectAllCount();
}

INSTANTIATE_TEST_SUITE_P(Modes, RescaleByMode, testing::Values(BOUNDED, ASYNC));

}  // namespace
}  // namespace syncline
