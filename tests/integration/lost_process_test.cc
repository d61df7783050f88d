// Processes that add up their gradients on one host, and one of them is killed: the steps that were planned
// with it are made all the same, to the bit.

#include <string>

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

// Few enough steps that all are planned when the first begins, and none of them a small one.
JobManifest Job() {
  JobManifest job = SmallJob(40, 60, 96);
  job.set_workers(3);
  job.set_shards(2);
  job.set_batch_size(4);
  job.set_local_aggregation(true);
  return job;
}

constexpr const char* kNames[] = {"a", "b", "c"};

class LostProcessTest : public testing::Test {
 protected:
  LostProcessTest() {
    for (const char* name : kNames) cluster_.StartWorker(name, "100ms");
    SYNCLINE_EXPECT_OK(cluster_.WaitUntil([](const ClusterStatusReply& status) {
      return status.step() >= 3 && status.workers_size() == 1 && status.workers(0).processes() == 3;
    }));
  }

  // Lets the rest finish; the weights.
  Weights Finish() {
    EXPECT_LT(cluster_.Status().step(), 12u) << "the loss should be in the middle of the job";
    SYNCLINE_EXPECT_OK(cluster_.WaitUntilFinished());
    for (const char* name : kNames) {
      ChildProcess& process = cluster_.process(name);
      EXPECT_TRUE(process.WaitFor(absl::Seconds(30))) << name;
      EXPECT_EQ(*process.Poll(), name == lost_ ? 128 + 9 : 0)
          << name << ": " << LastLines(process.log(), 5);
    }
    return *CheckpointWeights(cluster_.job().checkpoint().directory());
  }
  void Kill(const std::string& name) {
    lost_ = name;
    cluster_.process(name).Kill();
  }
  std::string Leader() { return cluster_.Status().workers(0).name(); }

  ProcessCluster cluster_{Job(), absl::Seconds(5), /*start_shards=*/true};
  std::string lost_;
};

TEST_F(LostProcessTest, AHelpersPartIsComputedByTheLeader) {
  Kill(Leader() == "a" ? "b" : "a");
  const Weights weights = Finish();
  EXPECT_EQ(weights, TrainedWeights(Job()));
  EXPECT_EQ(cluster_.Status().samples_total(), 192u) << "each of both epochs once";
}

TEST_F(LostProcessTest, AHelperTakesTheLeadersPlace) {
  Kill(Leader());
  const Weights weights = Finish();
  EXPECT_EQ(weights, TrainedWeights(Job()));
  const ClusterStatusReply status = cluster_.Status();
  ASSERT_EQ(status.workers_size(), 1) << "the new leader has the rank of the old one";
  EXPECT_NE(status.workers(0).name(), lost_);
}

TEST(StoppedWorkerTest, DoesNotWaitForShardsThatNeverCome) {
  ProcessCluster cluster(Job(), absl::Seconds(1));
  cluster.StartWorker("worker-0");
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const auto& status) { return status.workers_size() == 1; }));
  cluster.process("worker-0").Terminate();
  EXPECT_TRUE(cluster.process("worker-0").WaitFor(absl::Seconds(10)));
  EXPECT_EQ(cluster.process("worker-0").Poll(), 0) << cluster.Logs();
}

TEST(StoppedShardTest, ASecondSignalEndsItsWaitForACoordinator) {
  ProcessCluster cluster(SmallJob(40, 60, 9600), absl::Seconds(5));
  cluster.StartShard("ps-0");
  cluster.StartWorker("worker-0");
  SYNCLINE_ASSERT_OK(cluster.WaitForStep(1)) << cluster.Logs();
  cluster.EndCoordinator();
  ChildProcess& shard = cluster.process("ps-0");
  shard.Terminate();
  EXPECT_FALSE(shard.WaitFor(absl::Milliseconds(1500))) << cluster.Logs();
  // Again and again, as a machine under load may take two for one.
  for (int i = 0; i < 10 && !shard.Poll(); ++i) {
    shard.Terminate();
    shard.WaitFor(absl::Seconds(1));
  }
  EXPECT_EQ(shard.Poll(), 1) << cluster.Logs();
  EXPECT_THAT(LastLines(shard.log(), 1), testing::HasSubstr("no other shard has yet are lost"));
}

}  // namespace
}  // namespace syncline
