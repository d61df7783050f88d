// The user's way: a job runs, its manifest is edited, and `syncline apply` has it run with as many shards as
// that says. Real processes and the command line; the weights are those of the job left alone.

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/config/manifest_writer.h"
#include "common/io/file_system.h"
#include "common/status/status_matchers.h"
#include "deploy/cli/child_process.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

using testing::HasSubstr;

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_shards(2);
  job.set_epochs(24);
  return job;
}

class ScaleCommandTest : public testing::Test {
 protected:
  struct Ended {
    int status = -1;
    std::string said;
  };

  std::unique_ptr<ChildProcess> Start(const std::string& name, std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "deploy/cli/syncline");
    auto process = ChildProcess::Start(name, arguments, Log(name));
    SYNCLINE_EXPECT_OK(process.status());
    return *std::move(process);
  }
  Ended Run(std::vector<std::string> arguments) {
    const std::string name = absl::StrCat("command-", ++commands_);
    arguments.push_back(absl::StrCat("--coordinator=", coordinator_));
    const auto process = Start(name, arguments);
    EXPECT_TRUE(process->WaitFor(absl::Minutes(1)));
    return {process->Poll().value_or(-1), LastLines(Log(name), 50)};
  }
  void Write(const JobManifest& job) {
    SYNCLINE_ASSERT_OK(
        WriteFileAtomically(PosixFileSystem(), manifest_, SerializeManifest(job)));
  }
  std::string Log(const std::string& name) const { return absl::StrCat(folder_, "/", name, ".log"); }

  const std::string folder_ = FreshFolder("scale");
  const std::string manifest_ = folder_ + "/job.yaml";
  std::string coordinator_;
  int commands_ = 0;
};

TEST_F(ScaleCommandTest, AnEditedManifestIsFollowedWhileTheJobRuns) {
  JobManifest job = Job();
  Write(job);
  const auto local = Start("local", {"local", "-f", manifest_, absl::StrCat("--output=", folder_)});
  for (int i = 0; i < 300 && coordinator_.empty(); ++i) {
    const auto port = ReadFile(PosixFileSystem(), folder_ + "/logs/coordinator.port");
    if (port.ok()) coordinator_ = port->substr(0, port->find('\n'));
    absl::SleepFor(absl::Milliseconds(50));
  }
  ASSERT_FALSE(coordinator_.empty()) << LastLines(Log("local"), 20);

  job.set_shards(4);
  job.set_rebalance(REBALANCE_AUTO);
  Write(job);
  Ended apply = Run({"apply", "-f", manifest_});
  EXPECT_EQ(apply.status, 0) << apply.said;
  EXPECT_THAT(apply.said, HasSubstr("4 shards, 2 workers"));
  Run({"status", "--json"});
  EXPECT_THAT(*ReadFile(PosixFileSystem(), Log(absl::StrCat("command-", commands_))), HasSubstr("REBALANCE_AUTO"));

  job.set_batch_size(16);
  Write(job);
  apply = Run({"apply", "-f", manifest_});
  EXPECT_EQ(apply.status, 1);
  EXPECT_THAT(apply.said, HasSubstr("batch_size: 8 -> 16"));
  EXPECT_EQ(Run({"scale", "--shards=many"}).status, 2);
  EXPECT_EQ(Run({"scale"}).status, 2);

  const Ended scale = Run({"scale", "--shards=1"});
  EXPECT_EQ(scale.status, 0) << scale.said;
  const Ended drain = Run({"drain", "--shard=nowhere:1"});
  EXPECT_EQ(drain.status, 1);
  EXPECT_THAT(drain.said, HasSubstr("no such shard"));

  EXPECT_TRUE(local->WaitFor(absl::Minutes(1)));
  EXPECT_EQ(local->Poll().value_or(-1), 0) << LastLines(Log("local"), 20);
  EXPECT_THAT(LastLines(folder_ + "/logs/ps-3.log", 3), HasSubstr("leaving"));
  EXPECT_EQ(*CheckpointWeights(job.checkpoint().directory()), TrainedWeights(Job()));
}

}  // namespace
}  // namespace syncline
