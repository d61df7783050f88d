// Promise 5 with one replica: a shard's process is killed, another comes, and training resumes from the
// last complete checkpoint, all shards at one step.

#include <string>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 1600);
  job.set_workers(2);
  job.set_shards(2);
  job.mutable_checkpoint()->set_interval_steps(20);
  return job;
}

class LostShardTest : public testing::Test {
 protected:
  LostShardTest() {
    for (const char* name : {"ps-0", "ps-1"}) cluster_.StartShard(name);
    for (const char* name : {"worker-0", "worker-1"}) cluster_.StartWorker(name);
  }
  absl::Status WaitForStep(uint64_t step) {
    SYNCLINE_EXPECT_OK(cluster_.WaitForStep(step)) << cluster_.Logs();
    return cluster_.WaitUntil(
        [](const auto& status) { return !status.last_checkpoint().empty(); });
  }

  ProcessCluster cluster_{Job(), absl::Seconds(1)};
};

TEST_F(LostShardTest, TrainingResumesFromTheLastCheckpointToTheSameBits) {
  SYNCLINE_ASSERT_OK(WaitForStep(50));
  cluster_.process("ps-1").Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitUntil([](const auto& status) {
    return status.waiting_for().find("is lost: going on from") != std::string::npos;
  }));
  cluster_.StartShard("ps-2");
  SYNCLINE_ASSERT_OK(WaitForStep(80));
  cluster_.process("ps-0").Kill();
  cluster_.StartShard("ps-3");
  EXPECT_EQ(cluster_.FinishedWeights(), TrainedWeights(Job()));
}

TEST_F(LostShardTest, AllOfTheClusterIsLostButForItsDisk) {
  SYNCLINE_ASSERT_OK(WaitForStep(50));
  cluster_.KillAll();
  cluster_.RestartCoordinator(absl::ZeroDuration());
  for (const char* name : {"ps-2", "ps-3"}) cluster_.StartShard(name);
  for (const char* name : {"worker-2", "worker-3"}) cluster_.StartWorker(name);
  EXPECT_EQ(cluster_.FinishedWeights(), TrainedWeights(Job()));
}

}  // namespace
}  // namespace syncline
