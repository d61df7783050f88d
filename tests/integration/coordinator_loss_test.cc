// A coordinator that dies comes back, or another takes its place; training goes on meanwhile, and nothing
// it decided is lost.

#include <thread>

#include "absl/time/clock.h"
#include "common/config/manifest.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/durability/checkpoint_reader.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job(SyncMode mode) {
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_shards(2);
  job.set_epochs(4);
  job.set_sync_mode(mode);
  return job;
}

absl::Status WaitForStep(InProcessCluster* cluster, uint64_t step) {
  return cluster->WaitUntil([step](const auto& status) { return status.step() >= step; });
}

TEST(CoordinatorLossTest, TheWeightsAreThoseOfTheUndisturbedRun) {
  const Weights undisturbed = TrainedWeights(Job(SYNC));
  InProcessCluster cluster(Job(SYNC));
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(1));
  for (const uint64_t step : {10, 200, 500, 900}) {
    SYNCLINE_EXPECT_OK(WaitForStep(&cluster, step));
    cluster.RestartCoordinator(absl::Milliseconds(30));
  }
  const ClusterStatusReply status = cluster.Finish();
  EXPECT_EQ(status.samples_total(), 16000u) << "each sample of each epoch once";
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_ASSERT_OK(weights.status());
  EXPECT_EQ(*weights, undisturbed);
}

TEST(CoordinatorLossTest, EverySampleIsLeasedOnceInAsync) {
  JobManifest job = Job(ASYNC);
  job.mutable_optimizer()->set_learning_rate(0.0005);
  InProcessCluster cluster(job);
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(1));
  for (int i = 0; i < 4; ++i) {
    absl::SleepFor(absl::Milliseconds(150));
    cluster.RestartCoordinator(absl::Milliseconds(30));
  }
  EXPECT_EQ(cluster.Finish().samples_total(), 16000u);
}

TEST(CoordinatorLossTest, TrainingGoesOnWithoutIt) {
  JobManifest job = Job(SYNC);
  job.set_epochs(1);
  InProcessCluster cluster(job);
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(10));
  SYNCLINE_EXPECT_OK(WaitForStep(&cluster, 5));
  const uint64_t before = cluster.Status().step();
  cluster.RestartCoordinator(absl::Milliseconds(100));
  // Leases reach 16 steps ahead here, and a step takes 10 ms and more.
  EXPECT_GE(cluster.Status().step(), before + 3);
  cluster.Finish();
}

// Wherever the coordinator is between the first word of a change of the map and the last.
TEST(CoordinatorLossTest, AChangeOfTheShardsIsGoneThroughWith) {
  const Weights undisturbed = TrainedWeights(Job(SYNC));
  InProcessCluster cluster(Job(SYNC));
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(2));
  SYNCLINE_EXPECT_OK(WaitForStep(&cluster, 5));
  for (int i = 0; i < 2; ++i) cluster.StartShard();
  for (const uint32_t shards : {4, 2, 3, 1, 4}) {
    cluster.Scale(shards);
    absl::SleepFor(absl::Milliseconds(3 * shards));
    cluster.RestartCoordinator(absl::ZeroDuration());
  }
  SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) {
    return !status.rescale().moving() || status.phase() == ClusterStatusReply::FINISHED;
  }));
  cluster.Finish();
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_ASSERT_OK(weights.status());
  EXPECT_EQ(*weights, undisturbed);
}

// It would take along what it holds.
TEST(CoordinatorLossTest, AShardThatLeavesWaitsForTheNextOne) {
  JobManifest job = Job(SYNC);
  job.set_shards(3);
  const Weights undisturbed = TrainedWeights(job);
  InProcessCluster cluster(job);
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(2));
  SYNCLINE_EXPECT_OK(WaitForStep(&cluster, 10));
  std::thread restart([&] { cluster.RestartCoordinator(absl::Seconds(1)); });
  absl::SleepFor(absl::Milliseconds(300));
  SYNCLINE_EXPECT_OK(cluster.DrainShard(1));
  restart.join();
  EXPECT_EQ(cluster.Status().map().shards_size(), 2);
  cluster.Finish();
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_ASSERT_OK(weights.status());
  EXPECT_EQ(*weights, undisturbed);
}

// Later checkpoints take its place long before the job ends.
TEST(CoordinatorLossTest, TheCheckpointThatTheJobWentOnFromMayBeGone) {
  JobManifest job = Job(SYNC);
  job.set_epochs(1);
  TrainedWeights(job);
  const auto checkpoint = LatestCheckpoint(PosixFileSystem(), job.checkpoint().directory());
  SYNCLINE_ASSERT_OK(checkpoint);
  JobManifest longer = Job(SYNC);
  const Weights undisturbed = TrainedWeights(longer, *checkpoint);
  longer.mutable_checkpoint()->set_directory(FreshFolder("later"));
  InProcessCluster cluster(longer, *checkpoint);
  for (int i = 0; i < 2; ++i) cluster.StartWorker(absl::Milliseconds(1));
  SYNCLINE_EXPECT_OK(WaitForStep(&cluster, 300));
  SYNCLINE_ASSERT_OK(PosixFileSystem().RemoveFolder(*checkpoint));
  cluster.RestartCoordinator(absl::ZeroDuration());
  cluster.Finish();
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_ASSERT_OK(weights.status());
  EXPECT_EQ(*weights, undisturbed);
}

// Its log may lie beside the checkpoints of a folder that is used again.
TEST(CoordinatorLossTest, WhatFollowsAJobThatHasEndedMayBeAnother) {
  const std::string folder = FreshFolder("ended");
  CoordinatorServer::Options options;
  options.job = Job(SYNC);
  options.metadata = folder;
  SYNCLINE_ASSERT_OK(CompleteManifest(&options.job));
  {
    const auto first = CoordinatorServer::Start(options);
    SYNCLINE_ASSERT_OK(first.status());
  }
  options.job.set_batch_size(16);
  EXPECT_THAT(CoordinatorServer::Start(options).status(),
              StatusIs(absl::StatusCode::kFailedPrecondition,
                       testing::HasSubstr("batch_size: 8 -> 16")));
  {
    options.job.set_batch_size(8);
    const auto second = CoordinatorServer::Start(options);
    SYNCLINE_ASSERT_OK(second.status());
    SYNCLINE_ASSERT_OK((*second)->Drain().status());
  }
  options.job.set_batch_size(16);
  SYNCLINE_EXPECT_OK(CoordinatorServer::Start(options).status());
}

}  // namespace
}  // namespace syncline
