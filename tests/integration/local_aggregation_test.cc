// The workers of one host add up their gradients there: what the cluster learns stays the same.

#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job(bool together, uint32_t workers = 4) {
  JobManifest job = SmallJob(40, 60, 100);
  job.set_workers(workers);
  job.set_shards(2);
  job.set_batch_size(4);
  job.set_local_aggregation(together);
  return job;
}

TEST(LocalAggregationTest, TheSameWeightsAsSeparateWorkers) {
  const Weights apart = TrainedWeights(Job(false));
  const Weights together = TrainedWeights(Job(true));
  EXPECT_LT(Difference(apart, together), 1e-5);
  EXPECT_EQ(TrainedWeights(Job(true)), together) << "a repetition differs";
}

TEST(LocalAggregationTest, ThroughTheNetworkToo) {
  JobManifest job = Job(true);
  const Weights shared = TrainedWeights(job);
  job.set_shared_memory(false);
  EXPECT_EQ(TrainedWeights(job), shared);
}

TEST(LocalAggregationTest, OnePushAHostAndStep) {
  const auto pushed = [](const JobManifest& job) {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    const ClusterStatusReply status = cluster.Finish();
    EXPECT_EQ(status.workers_size(), job.local_aggregation() ? 1 : static_cast<int>(job.workers()));
    EXPECT_EQ(status.samples_total(), 200u);
    uint64_t bytes = 0;
    for (const ShardStatusReply& shard : status.shards()) bytes += shard.pushed_bytes();
    return std::pair<uint64_t, uint64_t>(bytes, status.step());
  };
  const auto apart = pushed(Job(false)), together = pushed(Job(true));
  EXPECT_EQ(together.second, apart.second);
  EXPECT_EQ(4 * together.first, apart.first);
}

TEST(LocalAggregationTest, InBoundedAndAsync) {
  for (const SyncMode mode : {BOUNDED, ASYNC}) {
    JobManifest job = Job(true);
    job.set_sync_mode(mode);
    job.mutable_optimizer()->set_clip_norm(1);
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    EXPECT_EQ(cluster.Finish().samples_total(), 200u);
  }
}

}  // namespace
}  // namespace syncline
