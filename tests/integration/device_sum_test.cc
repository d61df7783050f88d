// Gradients of an all-reduce summed on the devices of its workers: the weights are those of sums in host memory but for
// rounding, the same in every run; where devices can't sum, or fail, everybody sums in host memory and says why; and
// a worker that is lost costs no sample. The devices are pretended (tests/pretend_gpu).

#include <cstdlib>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "deploy/cli/progress.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

using ::testing::HasSubstr;

JobManifest Job(uint32_t workers, uint32_t hidden = 300, const std::string& device = "auto") {
  JobManifest job = SmallJob(12, hidden, 98);
  job.set_workers(workers);
  job.set_shards(2);
  job.set_batch_size(24 / workers);
  job.set_aggregation(AGGREGATION_ALLREDUCE);
  job.set_device(device);
  job.mutable_optimizer()->set_learning_rate(hidden > 300 ? 1e-4 : 0.02);
  return job;
}

struct Trained {
  Weights weights;
  std::string manner;
};

Trained Train(const JobManifest& job) {
  InProcessCluster cluster(job);
  cluster.StartWorkers();
  const ClusterStatusReply status = cluster.Finish();
  EXPECT_EQ(status.samples_total(), 98u * job.epochs());
  auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return {weights.ok() ? *std::move(weights) : Weights(), SumsText(status)};
}

class DeviceSumTest : public ::testing::Test {
 protected:
  DeviceSumTest() {
    const std::string folder = absl::StrCat(std::getenv("TEST_SRCDIR"), "/syncline/tests/pretend_gpu");
    setenv("SYNCLINE_BACKEND_DIR", folder.c_str(), 1);
  }
  ~DeviceSumTest() override { unsetenv("PRETEND_GPU_GROUPS"); }
};

TEST_F(DeviceSumTest, MakesTheWeightsOfSumsInHostMemory) {
  for (const uint32_t hidden : {300, 30000}) {
    for (const uint32_t workers : {2, 3}) {
      const Trained on_devices = Train(Job(workers, hidden));
      EXPECT_EQ(on_devices.manner, absl::StrCat("on ", workers, " devices: pretended sums"));
      const Trained in_host_memory = Train(Job(workers, hidden, "cpu"));
      EXPECT_THAT(in_host_memory.manner, HasSubstr("computes on a CPU"));
      EXPECT_LT(Difference(on_devices.weights, in_host_memory.weights), 1e-5) << workers << ", " << hidden;
      if (workers != 3) continue;
      EXPECT_EQ(Train(Job(workers, hidden)).weights, on_devices.weights) << "another run";
    }
  }
}

TEST_F(DeviceSumTest, WhereDevicesCannotSumTheHostDoes) {
  const Weights expected = Train(Job(3, 300, "cpu")).weights;
  const auto expect = [&](const std::string& groups, const std::string& device, const std::string& manner) {
    setenv("PRETEND_GPU_GROUPS", groups.c_str(), 1);
    const Trained trained = Train(Job(3, 300, device));
    EXPECT_THAT(trained.manner, AllOf(HasSubstr("in host memory: worker-"), HasSubstr(manner)));
    EXPECT_LT(Difference(trained.weights, expected), 1e-5) << manner;
  };
  expect("", "cuda:1", "compute on one device (slot 1)");
  expect("none", "auto", "can't reach other GPUs: libpretended.so.2");
  expect("refused", "auto", "could not join the others: cuda:");
  // In the third step, after some of its sums were made.
  expect("8", "auto", "failed: cuda:");
}

constexpr uint32_t kEpochs = 12;

class LostWorkerTest : public DeviceSumTest {
 protected:
  static JobManifest LongJob(const std::string& device = "auto") {
    JobManifest job = Job(3, 300, device);
    job.set_epochs(kEpochs);
    return job;
  }
  LostWorkerTest() : cluster_(LongJob(), absl::Seconds(1), /*start_shards=*/true) {
    for (const char* name : {"a", "b", "c"}) cluster_.StartWorker(name, "50ms");
    SYNCLINE_EXPECT_OK(cluster_.WaitForStep(4)) << cluster_.Logs();
  }
  // At the lowest place that is taken, or the highest.
  ChildProcess& WorkerAt(bool lowest) {
    std::string name;
    const ClusterStatusReply status = cluster_.Status();
    for (const TeamProcess& process : status.teams(0).processes()) {
      if (!process.address().empty() && (name.empty() || !lowest)) name = process.name();
    }
    return cluster_.process(name);
  }
  void ExpectSums(const std::string& manner) {
    SYNCLINE_EXPECT_OK(cluster_.WaitUntil([&](const auto& status) { return SumsText(status) == manner; }))
        << manner << "\n" << cluster_.Logs();
  }
  void ExpectTheWeightsOfAll() {
    const Weights weights = cluster_.FinishedWeights();
    EXPECT_LT(Difference(weights, Train(LongJob("cpu")).weights), 1e-5) << cluster_.Logs();
    EXPECT_EQ(cluster_.Status().samples_total(), 98u * kEpochs) << "each sample of each epoch once";
  }

  ProcessCluster cluster_;
};

TEST_F(LostWorkerTest, TheDevicesOfTheRestGoOn) {
  ExpectSums("on 3 devices: pretended sums");
  WorkerAt(/*lowest=*/false).Kill();
  ExpectSums("on 2 devices: pretended sums");
  cluster_.StartWorker("new", "50ms");
  ExpectSums("on 3 devices: pretended sums");
  ExpectTheWeightsOfAll();
}

TEST_F(LostWorkerTest, AnotherOneLeads) {
  WorkerAt(/*lowest=*/true).Kill();
  ExpectSums("on 2 devices: pretended sums");
  WorkerAt(/*lowest=*/true).Kill();
  ExpectSums("in host memory: there is one process");
  ExpectTheWeightsOfAll();
}

TEST_F(LostWorkerTest, OneThatWasStoppedDoesNoHarm) {
  ChildProcess& stopped = WorkerAt(/*lowest=*/false);
  stopped.Stop();
  const absl::Status went_on = cluster_.WaitForStep(cluster_.Status().step() + 4);
  stopped.Continue();
  SYNCLINE_ASSERT_OK(went_on) << cluster_.Logs();
  ExpectSums("on 3 devices: pretended sums");
  ExpectTheWeightsOfAll();
}

}  // namespace
}  // namespace syncline
