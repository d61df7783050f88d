// Layers that several workers share: the weights are those of one worker but for rounding, the same in every run;
// each has its part of the memory; and a lost worker's place is taken by whoever comes.

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/pipeline_job.h"
#include "tests/integration/process_cluster.h"

namespace syncline {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;

// Rounding, over a few steps.
constexpr double kClose = 1e-4;

// `size` workers share each stage.
JobManifest Shared(JobManifest job, uint32_t size) {
  job.set_workers(job.workers() * size);
  job.mutable_tensor_parallel()->set_size(size);
  return job;
}

TEST(TensorParallelTest, AnyNumberOfPartsMakesTheSameWeights) {
  const Weights alone = TrainedWeights(PipelineJob(1, 1));
  for (const uint32_t size : {2, 3, 4}) {
    const JobManifest job = Shared(PipelineJob(1, 1), size);
    const Weights weights = TrainedWeights(job);
    EXPECT_LT(Difference(weights, alone), kClose) << size << " parts";
    EXPECT_EQ(TrainedWeights(Shared(PipelineJob(1, 1), size)), weights) << size << " parts: another run differs";
  }
  JobManifest job = Shared(PipelineJob(1, 1), 2);
  const Weights lent = TrainedWeights(job);
  job.set_shared_memory(false);
  job.set_shards(3);
  EXPECT_EQ(TrainedWeights(job), lent) << "through the network, by other shards";
}

TEST(TensorParallelTest, OfStagesAndReplicasToo) {
  const Weights alone = TrainedWeights(PipelineJob(1, 1));
  EXPECT_LT(Difference(TrainedWeights(Shared(PipelineJob(1, 2), 2)), alone), kClose);
  EXPECT_LT(Difference(TrainedWeights(Shared(PipelineJob(2, 1), 2)), alone), kClose);
  JobManifest job = Shared(PipelineJob(2, 2), 2);
  job.mutable_pipeline()->set_layers("0-5, 6-9");
  const Weights eight = TrainedWeights(job);
  EXPECT_LT(Difference(eight, alone), kClose);
  EXPECT_EQ(TrainedWeights(job), eight) << "another run differs";
  job = Shared(PipelineJob(1, 3), 2);
  job.mutable_optimizer()->set_clip_norm(0.05);
  job.mutable_pipeline()->set_recompute(true);
  JobManifest clipped = PipelineJob(1, 1);
  clipped.mutable_optimizer()->set_clip_norm(0.05);
  EXPECT_LT(Difference(TrainedWeights(job), TrainedWeights(clipped)), kClose) << "clipped by the norm over all";
}

TEST(TensorParallelTest, ATransformerLearnsTheSame) {
  const auto transformer = [](uint32_t stages, uint32_t size) {
    JobManifest job = Shared(TransformerJob(stages), size);
    job.mutable_pipeline()->set_micro_batches(2);
    // Adam makes much of the sign of a gradient that is nearly 0.
    job.mutable_optimizer()->set_kind(MOMENTUM);
    job.mutable_optimizer()->set_learning_rate(0.1);
    job.set_epochs(3);
    return job;
  };
  const JobManifest one = transformer(1, 1);
  InProcessCluster cluster(one);
  cluster.StartWorkers();
  const ClusterStatusReply status = cluster.Finish();
  EXPECT_GT(status.test_accuracy(), 0.3);
  const auto alone = CheckpointWeights(one.checkpoint().directory());
  SYNCLINE_ASSERT_OK(alone);
  for (const auto& [stages, size] : {std::pair(1u, 2u), std::pair(1u, 3u), std::pair(2u, 2u)}) {
    const JobManifest job = transformer(stages, size);
    InProcessCluster split(job);
    split.StartWorkers();
    const ClusterStatusReply end = split.Finish();
    EXPECT_NEAR(end.test_accuracy(), status.test_accuracy(), 0.01) << stages << " stages of " << size;
    EXPECT_NEAR(end.test_loss(), status.test_loss(), 0.01) << stages << " stages of " << size;
    EXPECT_LT(Difference(*CheckpointWeights(job.checkpoint().directory()), *alone), kClose)
        << stages << " stages of " << size;
  }
}

TEST(TensorParallelTest, EveryPolicyTrains) {
  for (const SyncMode mode : {BOUNDED, ASYNC}) {
    JobManifest job = Shared(PipelineJob(2, 1), 2);
    job.set_sync_mode(mode);
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    EXPECT_EQ(cluster.Finish().samples_total(), 98u * 2) << SyncMode_Name(mode);
  }
}

// What is split is the workers' affair: checkpoints have whole tensors.
TEST(TensorParallelTest, ACheckpointGoesOnInAnotherNumberOfParts) {
  JobManifest first = Shared(PipelineJob(1, 1), 2);
  first.set_max_steps(5);
  TrainedWeights(first);
  JobManifest rest = Shared(PipelineJob(1, 1), 3);
  rest.mutable_checkpoint()->set_directory(first.checkpoint().directory());
  const Weights weights = TrainedWeights(rest, "latest");
  EXPECT_LT(Difference(weights, TrainedWeights(PipelineJob(1, 1))), kClose);
}

JobManifest Wide(uint32_t size) {
  JobManifest job = Shared(PipelineJob(1, 1), size);
  for (Layer& layer : *job.mutable_model()->mutable_layers()) {
    if (layer.has_linear() && layer.linear().units() > 1) layer.mutable_linear()->set_units(256);
  }
  job.set_epochs(1);
  return job;
}

std::vector<uint64_t> Memory(const JobManifest& job) {
  InProcessCluster cluster(job);
  cluster.StartWorkers();
  const ClusterStatusReply status = cluster.Finish();
  std::vector<uint64_t> each;
  for (const TeamProcess& process : status.teams(0).processes()) {
    each.push_back(process.progress().memory_bytes());
  }
  return each;
}

TEST(TensorParallelTest, EachHasItsPartOfTheMemory) {
  const std::vector<uint64_t> two = Memory(Wide(2)), four = Memory(Wide(4));
  ASSERT_EQ(two.size(), 2u);
  ASSERT_EQ(four.size(), 4u);
  // Weights and gradients of the two layers of 256 x 256 are 1 MiB, of the first one 40 KiB; what is on its way, and
  // activations of 4 rows, come to less than 256 KiB.
  EXPECT_THAT(two, Each(::testing::AllOf(::testing::Gt(532u << 10), ::testing::Lt(788u << 10))));
  EXPECT_THAT(four, Each(::testing::AllOf(::testing::Gt(266u << 10), ::testing::Lt(522u << 10))));
}

TEST(TensorParallelTest, AModelAboveTheMemoryLimitTrainsOnlyWhenItIsSplit) {
  JobManifest job = Wide(1);
  job.set_memory_limit(900 << 10);
  {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    EXPECT_THAT(cluster.JoinWorkers(),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("does not fit into memory_limit, which is 921600 bytes")));
  }
  job = Wide(2);
  job.set_memory_limit(900 << 10);
  {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    EXPECT_EQ(cluster.Finish().samples_total(), 98u);
  }
  // Alone, as nobody would tell the other one that it has to wait for somebody else.
  job.set_memory_limit(400 << 10);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  EXPECT_THAT(cluster.JoinWorkers(), StatusIs(absl::StatusCode::kResourceExhausted,
                                              HasSubstr("over more than 2 workers (tensor_parallel.size)")));
}

JobManifest LongJob() {
  JobManifest job = Shared(PipelineJob(1, 2), 2);
  job.set_epochs(8);
  job.mutable_pipeline()->set_layers("0-5, 6-9");
  return job;
}

class LostPartTest : public ::testing::Test {
 protected:
  LostPartTest() {
    for (const char* name : {"a", "b", "c", "d"}) cluster_.StartWorker(name, "50ms");
    SYNCLINE_EXPECT_OK(cluster_.WaitForStep(4));
  }
  std::string NameAt(int place) { return cluster_.Status().teams(0).processes(place).name(); }
  // Whoever has the place dies, and another one comes.
  void Lose(int place) {
    cluster_.process(NameAt(place)).Kill();
    cluster_.StartWorker(absl::StrCat("new-", ++lost_), "50ms");
  }

  ProcessCluster cluster_{LongJob(), absl::Seconds(2), /*start_shards=*/true};
  int lost_ = 0;
};

TEST_F(LostPartTest, AnotherWorkerTakesItOverAndNothingIsLost) {
  for (const int place : {1, 2, 3, 0}) {
    const uint64_t before = cluster_.Status().step();
    Lose(place);
    SYNCLINE_ASSERT_OK(cluster_.WaitForStep(before + 2)) << cluster_.Logs();
  }
  EXPECT_EQ(cluster_.FinishedWeights(), TrainedWeights(LongJob())) << cluster_.Logs();
  EXPECT_EQ(cluster_.Status().samples_total(), 98u * 8);
}

TEST_F(LostPartTest, WithoutOneTheJobSaysWhatItWaitsFor) {
  cluster_.process(NameAt(3)).Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitUntil([](const ClusterStatusReply& status) {
    return status.waiting_for().find("a worker to take part 1 of stage 1 of replica 0") != std::string::npos;
  }));
  const uint64_t step = cluster_.Status().step();
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(cluster_.Status().step(), step);
}

// With copies of the weights, a shard may go too: each pushes again what went with it.
TEST(TensorParallelTest, ALostShardIsTakenOver) {
  JobManifest job = Shared(PipelineJob(1, 1), 2);
  job.set_epochs(20);
  job.set_shards(3);
  job.set_replicas(2);
  JobManifest undisturbed = job;
  undisturbed.set_replicas(1);
  ProcessCluster cluster(job, absl::Seconds(1));
  for (const char* name : {"ps-0", "ps-1", "ps-2"}) cluster.StartShard(name);
  for (const char* name : {"a", "b"}) cluster.StartWorker(name, "20ms");
  SYNCLINE_ASSERT_OK(cluster.WaitForStep(5)) << cluster.Logs();
  cluster.process("ps-1").Kill();
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
    return status.map().shards_size() == 2 && !status.rescale().moving() && status.waiting_for().empty();
  })) << cluster.Logs();
  EXPECT_EQ(cluster.Status().map().epoch() >> 32, 0u) << "the job did not begin anew";
  EXPECT_EQ(cluster.FinishedWeights(), TrainedWeights(undisturbed)) << cluster.Logs();
}

}  // namespace
}  // namespace syncline
