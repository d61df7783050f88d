// Processes that add up their gradients on one host, and one of them is killed: the steps that were planned
// with it are made all the same, to the bit.

#include <map>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "deploy/cli/child_process.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

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

class LostProcessTest : public testing::Test {
 protected:
  LostProcessTest() : cluster_(Job(), "", absl::Seconds(5)) {
    for (const char* name : {"a", "b", "c"}) {
      auto process = ChildProcess::Start(
          name,
          {"worker/syncline-worker", absl::StrCat("--coordinator=", cluster_.coordinator()),
           absl::StrCat("--name=", name), "--step_delay=100ms", "--http_port=-1"},
          absl::StrCat(FreshFolder("log"), "/", name));
      SYNCLINE_EXPECT_OK(process.status());
      processes_[name] = *std::move(process);
    }
    SYNCLINE_EXPECT_OK(cluster_.WaitUntil([](const ClusterStatusReply& status) {
      return status.step() >= 3 && status.workers_size() == 1 && status.workers(0).processes() == 3;
    }));
  }

  // Lets the rest finish; the weights.
  Weights Finish() {
    EXPECT_LT(cluster_.Status().step(), 12u) << "the loss should be in the middle of the job";
    SYNCLINE_EXPECT_OK(cluster_.WaitUntilFinished());
    for (const auto& [name, process] : processes_) {
      EXPECT_TRUE(process->WaitFor(absl::Seconds(30))) << name;
      EXPECT_EQ(*process->Poll(), name == lost_ ? 128 + 9 : 0)
          << name << ": " << LastLines(process->log(), 5);
    }
    return *CheckpointWeights(cluster_.job().checkpoint().directory());
  }
  void Kill(const std::string& name) {
    lost_ = name;
    processes_[name]->Kill();
  }
  std::string Leader() { return cluster_.Status().workers(0).name(); }

  InProcessCluster cluster_;
  std::map<std::string, std::unique_ptr<ChildProcess>> processes_;
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

}  // namespace
}  // namespace syncline
