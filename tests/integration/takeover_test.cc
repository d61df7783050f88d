// Promise 5 with two replicas: the kill -9 of any one process loses nothing that was acknowledged, and
// training goes on from where it was, to the same bits.

#include <string>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/ones.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 3200);
  job.set_workers(2);
  job.set_shards(3);
  job.set_replicas(2);
  job.mutable_checkpoint()->set_keep(1);
  return job;
}

// Until so many shards have all chunks, and all copies are made.
absl::Status WaitForCopies(ProcessCluster& cluster, int shards) {
  return cluster.WaitUntil([shards](const ClusterStatusReply& status) {
    return status.map().shards_size() == shards && !status.rescale().moving() &&
           status.waiting_for().empty();
  });
}

// Kills two shards, one after the other, the second with a new one beside it.
Weights WeightsAfterLosses(const JobManifest& job) {
  ProcessCluster cluster(job, absl::Seconds(1));
  for (const char* name : {"ps-0", "ps-1", "ps-2"}) cluster.StartShard(name);
  for (const char* name : {"worker-0", "worker-1"}) cluster.StartWorker(name, "5ms");
  SYNCLINE_EXPECT_OK(cluster.WaitForStep(20)) << cluster.Logs();
  cluster.process("ps-1").Kill();
  SYNCLINE_EXPECT_OK(WaitForCopies(cluster, 2)) << cluster.Logs();
  cluster.StartShard("ps-3");
  SYNCLINE_EXPECT_OK(WaitForCopies(cluster, 3)) << cluster.Logs();
  cluster.process("ps-0").Kill();
  SYNCLINE_EXPECT_OK(WaitForCopies(cluster, 2)) << cluster.Logs();
  const ClusterStatusReply status = cluster.Status();
  EXPECT_EQ(status.map().epoch() >> 32, 0u) << "the job did not begin anew";
  EXPECT_NE(status.phase(), ClusterStatusReply::FINISHED) << "all of it was while training";
  return cluster.FinishedWeights();
}

Weights UndisturbedWeights(JobManifest job) {
  job.set_replicas(1);
  return TrainedWeights(job);
}

TEST(TakeoverTest, SyncIsTheUndisturbedRunToTheBit) {
  EXPECT_EQ(WeightsAfterLosses(Job()), UndisturbedWeights(Job()));
}

TEST(TakeoverTest, SyncThroughTheNetwork) {
  JobManifest job = Job();
  job.set_shared_memory(false);
  EXPECT_EQ(WeightsAfterLosses(job), UndisturbedWeights(job));
}

TEST(TakeoverTest, SyncClippedByTheNormOverAllShards) {
  JobManifest job = Job();
  job.mutable_optimizer()->set_clip_norm(0.05);
  EXPECT_EQ(WeightsAfterLosses(job), UndisturbedWeights(job));
}

TEST(TakeoverTest, SyncByTheNormsOfWholeTensors) {
  JobManifest job = Job();
  job.mutable_optimizer()->set_kind(LAMB);
  EXPECT_EQ(WeightsAfterLosses(job), UndisturbedWeights(job));
}

// One worker has pushed its part of a step and committed it when a shard dies, the other has not.
TEST(TakeoverTest, WhatTheLostShardHadOfAStepIsPushedAgainWithItsRows) {
  JobManifest job = OnesJobWithTable(SYNC);
  job.set_shards(3);
  job.set_replicas(2);
  ProcessCluster cluster(job, absl::Seconds(1));
  for (const char* name : {"ps-0", "ps-1", "ps-2"}) cluster.StartShard(name);
  Ones ones(cluster, 2);
  ones.Contribute(0, 0);
  cluster.process("ps-1").Kill();
  ones.Contribute(1, 0);
  ones.ExpectPulled(0, 1);
  ones.ExpectPulled(1, 1);
}

class TakeoverByMode : public testing::TestWithParam<SyncMode> {};

TEST_P(TakeoverByMode, EveryAcknowledgedPushCountsOnce) {
  JobManifest job = OnesJobWithTable(GetParam());
  job.set_shards(3);
  job.set_replicas(2);
  ProcessCluster cluster(job, absl::Seconds(1));
  for (const char* name : {"ps-0", "ps-1", "ps-2"}) cluster.StartShard(name);
  Ones ones(cluster, 2);
  ones.Begin(2000);
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 20; }));
  cluster.process("ps-2").Kill();
  SYNCLINE_EXPECT_OK(WaitForCopies(cluster, 2)) << cluster.Logs();
  cluster.process("ps-0").Kill();
  SYNCLINE_EXPECT_OK(WaitForCopies(cluster, 1)) << cluster.Logs();
  ones.ExpectAllCount();
}

INSTANTIATE_TEST_SUITE_P(Modes, TakeoverByMode, testing::Values(BOUNDED, ASYNC));

}  // namespace
}  // namespace syncline
