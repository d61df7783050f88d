// Promise 4: the weights of sync depend on the global batch, not on who computed them where.

#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job(uint32_t workers, uint32_t shards) {
  JobManifest job = SmallJob(40, 60, 100);  // 2501 weights in 5 chunks; the last step has 4 samples
  job.set_workers(workers);
  job.set_shards(shards);
  job.set_batch_size(16 / workers);
  return job;
}

void ExpectSameEverywhere(const std::function<void(JobManifest*)>& change) {
  Weights single;
  for (const uint32_t workers : {1, 2, 4}) {
    Weights first;
    for (const uint32_t shards : {1, 2, 3}) {
      JobManifest job = Job(workers, shards);
      change(&job);
      const Weights weights = TrainedWeights(job);
      ASSERT_EQ(weights.size(), 4u);
      if (first.empty()) first = weights;
      EXPECT_EQ(weights, first) << workers << " workers, " << shards << " shards: a bit differs";
    }
    if (single.empty()) single = first;
    EXPECT_LT(Difference(first, single), 1e-5) << workers << " workers";
  }
}

TEST(SameWeightsTest, Momentum) {
  ExpectSameEverywhere([](JobManifest*) {});
}

TEST(SameWeightsTest, ThroughTheNetworkAsThroughSharedMemory) {
  JobManifest job = Job(2, 2);
  const Weights shared = TrainedWeights(job);
  job.set_shared_memory(false);
  EXPECT_EQ(TrainedWeights(job), shared);
}

TEST(SameWeightsTest, ClippedByTheNormOverAllShards) {
  ExpectSameEverywhere([](JobManifest* job) { job->mutable_optimizer()->set_clip_norm(0.05); });
}

TEST(SameWeightsTest, Lamb) {
  ExpectSameEverywhere([](JobManifest* job) { job->mutable_optimizer()->set_kind(LAMB); });
}

// Here who computes does matter: each worker goes its own way for a while. Where shards are does not.
TEST(SameWeightsTest, LocalSteps) {
  Weights first;
  for (const uint32_t shards : {1, 3}) {
    JobManifest job = Job(2, shards);
    job.set_local_steps(3);  // a worker's last exchange is over fewer samples than a batch
    const Weights weights = TrainedWeights(job);
    if (first.empty()) first = weights;
    EXPECT_EQ(weights, first) << shards << " shards: a bit differs";
  }
  EXPECT_NE(first, TrainedWeights(Job(2, 1)));
}

TEST(SameWeightsTest, ClippingMakesADifference) {
  JobManifest plain = Job(1, 1), clipped = Job(1, 1);
  clipped.mutable_optimizer()->set_clip_norm(0.05);
  EXPECT_NE(TrainedWeights(plain), TrainedWeights(clipped));
}

TEST(SameWeightsTest, MoreShardsThanChunks) {
  JobManifest job = SmallJob(3, 2, 60);
  job.set_chunk_bytes(1 << 20);
  job.set_shards(6);
  job.set_workers(3);
  JobManifest one = job;
  one.set_shards(1);
  EXPECT_EQ(TrainedWeights(job), TrainedWeights(one));
}

}  // namespace
}  // namespace syncline
