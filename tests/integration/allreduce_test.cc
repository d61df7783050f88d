// Gradients summed among the workers: the weights are those through the parameter server but for rounding, the same in
// every run, and a worker that is lost costs no sample.

#include <string>

#include "absl/strings/str_cat.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

// `hidden`: 300 make 16 kB of chunks and so a short sum, 30000 a long one.
JobManifest Job(uint32_t workers, uint32_t hidden = 300, Aggregation aggregation = AGGREGATION_ALLREDUCE) {
  JobManifest job = SmallJob(12, hidden, 98);
  job.set_workers(workers);
  job.set_shards(2);
  job.set_batch_size(24 / workers);
  job.set_aggregation(aggregation);
  job.mutable_optimizer()->set_learning_rate(hidden > 300 ? 1e-4 : 0.02);
  return job;
}

TEST(AllReduceTest, MakesTheWeightsOfTheParameterServer) {
  for (const uint32_t hidden : {300, 30000}) {
    const Weights by_shards = TrainedWeights(Job(1, hidden, AGGREGATION_PS));
    for (const uint32_t workers : {1, 2, 3, 4}) {
      const Weights weights = TrainedWeights(Job(workers, hidden));
      EXPECT_LT(Difference(weights, by_shards), 1e-5) << workers << " workers, " << hidden << " units";
      if (workers != 3) continue;
      EXPECT_EQ(TrainedWeights(Job(workers, hidden)), weights) << "another run";
    }
  }
}

// On one host each process pulls all weights, unless they are coded: then it gathers the others' from their memory.
TEST(AllReduceTest, WhoSitsBesideWhomChangesNoBit) {
  for (const Codec codec : {CODEC_NONE, FP16}) {
    JobManifest job = Job(3, 30000);
    job.set_pull_codec(codec);
    const Weights on_one_host = TrainedWeights(job);
    job.set_shared_memory(false);
    EXPECT_EQ(TrainedWeights(job), on_one_host) << Codec_Name(codec);
  }
}

TEST(AllReduceTest, ShardsSeeEachWeightOnceAStep) {
  const auto pushed = [](const JobManifest& job) {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    const ClusterStatusReply status = cluster.Finish();
    EXPECT_EQ(status.samples_total(), 98u * 2);
    uint64_t bytes = 0;
    for (const ShardStatusReply& shard : status.shards()) bytes += shard.pushed_bytes();
    return bytes;
  };
  EXPECT_EQ(pushed(Job(4)), pushed(Job(1, 300, AGGREGATION_PS)));
}

class LostWorkerTest : public ::testing::Test {
 protected:
  static JobManifest LongJob(uint32_t workers) {
    JobManifest job = Job(workers);
    job.set_epochs(8);
    return job;
  }
  LostWorkerTest() {
    for (const char* name : {"a", "b", "c"}) cluster_.StartWorker(name, "50ms");
    SYNCLINE_EXPECT_OK(cluster_.WaitForStep(4));
  }
  // At the lowest place that is taken, or the highest.
  std::string NameAt(bool lowest) {
    std::string name;
    const ClusterStatusReply status = cluster_.Status();
    for (const TeamProcess& process : status.teams(0).processes()) {
      if (process.address().empty()) continue;
      if (name.empty() || !lowest) name = process.name();
    }
    return name;
  }
  void ExpectTheWeightsOfAll() {
    const Weights weights = cluster_.FinishedWeights();
    EXPECT_LT(Difference(weights, TrainedWeights(LongJob(3))), 1e-5) << cluster_.Logs();
    EXPECT_EQ(cluster_.Status().samples_total(), 98u * 8) << "each sample of each epoch once";
  }

  ProcessCluster cluster_{LongJob(3), absl::Seconds(1), /*start_shards=*/true};
};

TEST_F(LostWorkerTest, TheRestGoOnWithItsSamples) {
  cluster_.process(NameAt(/*lowest=*/false)).Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitForStep(cluster_.Status().step() + 4)) << cluster_.Logs();
  ExpectTheWeightsOfAll();
}

// It may have been reading what the others have long overwritten.
TEST_F(LostWorkerTest, OneThatWasStoppedDoesNoHarm) {
  for (const bool lowest : {false, true}) {
    ChildProcess& stopped = cluster_.process(NameAt(lowest));
    stopped.Stop();
    const absl::Status went_on = cluster_.WaitForStep(cluster_.Status().step() + 4);
    stopped.Continue();
    SYNCLINE_ASSERT_OK(went_on) << cluster_.Logs();
    SYNCLINE_ASSERT_OK(cluster_.WaitForStep(cluster_.Status().step() + 4)) << cluster_.Logs();
  }
  ExpectTheWeightsOfAll();
}

TEST_F(LostWorkerTest, AnotherOneLeads) {
  cluster_.process(NameAt(/*lowest=*/true)).Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitForStep(cluster_.Status().step() + 4)) << cluster_.Logs();
  cluster_.StartWorker("new", "50ms");
  SYNCLINE_ASSERT_OK(cluster_.WaitForStep(cluster_.Status().step() + 4)) << cluster_.Logs();
  ExpectTheWeightsOfAll();
}

}  // namespace
}  // namespace syncline
