// Promise 5 with one replica: a shard's process is killed, another comes, and training resumes from the
// last complete checkpoint, all shards at one step. Real processes, but for the coordinator.

#include <map>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "deploy/cli/child_process.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

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
  void Start(const std::string& name, const std::string& program,
             std::vector<std::string> flags = {}) {
    std::vector<std::string> arguments = {program,
                                          absl::StrCat("--coordinator=", cluster_.coordinator())};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    auto process = ChildProcess::Start(name, arguments, absl::StrCat(logs_, "/", name));
    SYNCLINE_ASSERT_OK(process.status());
    processes_[name] = *std::move(process);
  }
  void StartShard(const std::string& name) { Start(name, "server/syncline-ps"); }
  void StartWorker(const std::string& name) {
    Start(name, "worker/syncline-worker",
          {absl::StrCat("--name=", name), "--step_delay=10ms", "--http_port=-1"});
  }
  absl::Status WaitForStep(uint64_t step) {
    return cluster_.WaitUntil([step](const auto& status) {
      return status.phase() == ClusterStatusReply::TRAINING && status.step() >= step &&
             !status.last_checkpoint().empty();
    });
  }
  Weights Finish() {
    SYNCLINE_EXPECT_OK(cluster_.WaitUntilFinished()) << Logs();
    const auto weights = CheckpointWeights(cluster_.job().checkpoint().directory());
    SYNCLINE_EXPECT_OK(weights.status());
    return weights.ok() ? *weights : Weights();
  }
  std::string Logs() const {
    std::string logs;
    for (const auto& [name, process] : processes_) {
      absl::StrAppend(&logs, name, ": ", LastLines(process->log(), 6), "\n");
    }
    return logs;
  }

  InProcessCluster cluster_{Job(), "", absl::Seconds(1), &PosixFileSystem(),
                            /*start_shards=*/false};
  const std::string logs_ = FreshFolder("logs");
  std::map<std::string, std::unique_ptr<ChildProcess>> processes_;
};

TEST_F(LostShardTest, TrainingResumesFromTheLastCheckpointToTheSameBits) {
  for (const char* name : {"ps-0", "ps-1"}) StartShard(name);
  for (const char* name : {"worker-0", "worker-1"}) StartWorker(name);
  SYNCLINE_ASSERT_OK(WaitForStep(50)) << Logs();
  processes_["ps-1"]->Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitUntil([](const auto& status) {
    return status.waiting_for().find("is lost: going on from") != std::string::npos;
  }));
  StartShard("ps-2");
  SYNCLINE_ASSERT_OK(WaitForStep(80)) << Logs();
  processes_["ps-0"]->Kill();
  StartShard("ps-3");
  EXPECT_EQ(Finish(), TrainedWeights(Job()));
}

TEST_F(LostShardTest, AllOfTheClusterIsLostButForItsDisk) {
  for (const char* name : {"ps-0", "ps-1"}) StartShard(name);
  for (const char* name : {"worker-0", "worker-1"}) StartWorker(name);
  SYNCLINE_ASSERT_OK(WaitForStep(50)) << Logs();
  for (const auto& [name, process] : processes_) process->Kill();
  cluster_.RestartCoordinator(absl::ZeroDuration());
  for (const char* name : {"ps-2", "ps-3"}) StartShard(name);
  for (const char* name : {"worker-2", "worker-3"}) StartWorker(name);
  EXPECT_EQ(Finish(), TrainedWeights(Job()));
}

}  // namespace
}  // namespace syncline
