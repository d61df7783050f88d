// Promise 6: shards are added and drained while training runs, and the result is the one the unscaled
// run gives.

#include <algorithm>
#include <vector>

#include "absl/time/clock.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 4000);  // 12,301 weights in 15 chunks
  job.set_workers(2);
  job.set_shards(2);
  job.set_epochs(4);
  return job;
}

// 2 shards, then 5, then 1, then 2, while workers train.
Weights RescaledWeights(const JobManifest& job) {
  InProcessCluster cluster(job);
  for (uint32_t i = 0; i < job.workers(); ++i) cluster.StartWorker(absl::Milliseconds(1));
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 5; }));
  for (int i = 0; i < 3; ++i) cluster.StartShard();
  SYNCLINE_EXPECT_OK(cluster.WaitForShards(5));
  const ClusterStatusReply grown = cluster.Status();
  uint64_t largest = 0, total = 0;
  for (const auto& shard : grown.shards()) {
    largest = std::max(largest, shard.chunks());
    total += shard.chunks();
  }
  // LAMB's tensors stay whole.
  EXPECT_LE(largest, job.optimizer().kind() == LAMB ? total : (total + 4) / 5 + 1);
  cluster.Scale(1);
  SYNCLINE_EXPECT_OK(cluster.WaitForShards(1));
  cluster.StartShard();
  cluster.Scale(2);
  SYNCLINE_EXPECT_OK(cluster.WaitForShards(2));
  const ClusterStatusReply status = cluster.Status();
  EXPECT_NE(status.phase(), ClusterStatusReply::FINISHED) << "all of it was while training";
  cluster.Finish();
  auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return weights.ok() ? *std::move(weights) : Weights();
}

TEST(RescaleTest, SyncIsTheUnscaledRunToTheBit) {
  const Weights unscaled = TrainedWeights(Job());
  EXPECT_EQ(RescaledWeights(Job()), unscaled);
}

TEST(RescaleTest, SyncThroughTheNetwork) {
  JobManifest job = Job();
  job.set_shared_memory(false);
  const Weights unscaled = TrainedWeights(job);
  EXPECT_EQ(RescaledWeights(job), unscaled);
}

TEST(RescaleTest, SyncClippedByTheNormOverAllShards) {
  JobManifest job = Job();
  job.mutable_optimizer()->set_clip_norm(0.05);
  const Weights unscaled = TrainedWeights(job);
  EXPECT_EQ(RescaledWeights(job), unscaled);
}

TEST(RescaleTest, SyncLamb) {
  JobManifest job = Job();
  job.mutable_optimizer()->set_kind(LAMB);
  const Weights unscaled = TrainedWeights(job);
  EXPECT_EQ(RescaledWeights(job), unscaled);
}

TEST(RescaleTest, AShardToldToStopGivesItsChunksAwayAndTheLastOneEndsTheJob) {
  InProcessCluster cluster(Job());
  cluster.StartWorker(absl::Milliseconds(1));
  cluster.StartWorker(absl::Milliseconds(1));
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 5; }));
  SYNCLINE_EXPECT_OK(cluster.DrainShard(0));
  const ClusterStatusReply status = cluster.Status();
  EXPECT_EQ(status.map().shards_size(), 1);
  EXPECT_EQ(status.phase(), ClusterStatusReply::TRAINING);
  SYNCLINE_EXPECT_OK(cluster.DrainShard(1));
  SYNCLINE_EXPECT_OK(cluster.JoinWorkers());
  EXPECT_EQ(cluster.Status().phase(), ClusterStatusReply::FINISHED);
}

}  // namespace
}  // namespace syncline
