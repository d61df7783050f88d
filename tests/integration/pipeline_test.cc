// A model on several workers: the weights are those of one worker, to the bit; each has its part of the memory; and
// a lost stage is taken over by whoever comes.

#include <algorithm>
#include <functional>
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

using ::testing::HasSubstr;

TEST(PipelineTest, AnyNumberOfStagesMakesTheSameWeightsToTheBit) {
  const Weights alone = TrainedWeights(PipelineJob(1, 1));
  for (const uint32_t stages : {2, 3, 4}) {
    EXPECT_EQ(TrainedWeights(PipelineJob(1, stages)), alone) << stages << " stages: a bit differs";
  }
  JobManifest job = PipelineJob(1, 1);
  job.mutable_pipeline()->set_schedule(PIPELINE_GPIPE);
  EXPECT_EQ(TrainedWeights(job), alone) << "gpipe on one stage";
  job = PipelineJob(1, 3);
  job.mutable_pipeline()->set_schedule(PIPELINE_GPIPE);
  EXPECT_EQ(TrainedWeights(job), alone) << "gpipe";
  job.mutable_pipeline()->set_recompute(true);
  job.mutable_pipeline()->set_layers("0-5, 6, 7-9");
  EXPECT_EQ(TrainedWeights(job), alone) << "recomputed, on other stages";
  job.set_shared_memory(false);
  job.mutable_optimizer()->set_clip_norm(0.05);
  JobManifest clipped = PipelineJob(1, 1);
  clipped.mutable_optimizer()->set_clip_norm(0.05);
  EXPECT_EQ(TrainedWeights(job), TrainedWeights(clipped)) << "clipped by the norm over all stages";
}

TEST(PipelineTest, ReplicasOfStagesMakeTheWeightsOfReplicas) {
  const Weights data_parallel = TrainedWeights(PipelineJob(2, 1));
  EXPECT_EQ(TrainedWeights(PipelineJob(2, 2)), data_parallel);
  EXPECT_LT(Difference(data_parallel, TrainedWeights(PipelineJob(1, 1))), 1e-5);
  JobManifest whole = PipelineJob(1, 1);
  whole.mutable_pipeline()->set_micro_batches(1);
  EXPECT_LT(Difference(data_parallel, TrainedWeights(whole)), 1e-5) << "micro-batches add up to the batch";
}

TEST(PipelineTest, ATransformerLearnsTheSameOnAnyNumberOfStages) {
  const JobManifest one = TransformerJob(1);
  InProcessCluster cluster(one);
  cluster.StartWorkers();
  const ClusterStatusReply status = cluster.Finish();
  EXPECT_GT(status.test_accuracy(), 0.8) << "of characters, by heart";
  EXPECT_LT(status.test_loss(), 0.8);
  const auto alone = CheckpointWeights(one.checkpoint().directory());
  SYNCLINE_ASSERT_OK(alone);
  for (const uint32_t stages : {2, 4}) {
    const JobManifest job = TransformerJob(stages);
    InProcessCluster split(job);
    split.StartWorkers();
    const ClusterStatusReply end = split.Finish();
    EXPECT_EQ(*CheckpointWeights(job.checkpoint().directory()), *alone) << stages << " stages: a bit differs";
    EXPECT_EQ(end.test_accuracy(), status.test_accuracy());
  }
}

TEST(PipelineTest, AStageHasItsPartOfTheMemory) {
  JobManifest job = PipelineJob(1, 4);
  for (Layer& layer : *job.mutable_model()->mutable_layers()) {
    if (layer.has_linear() && layer.linear().units() > 1) layer.mutable_linear()->set_units(256);
  }
  job.mutable_pipeline()->set_layers("0-2, 3-5, 6-8, 9");
  job.set_epochs(1);
  const auto most = [](const JobManifest& job, std::vector<uint64_t>* each) {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    const ClusterStatusReply status = cluster.Finish();
    for (const TeamProcess& process : status.teams(0).processes()) {
      each->push_back(process.progress().memory_bytes());
    }
  };
  std::vector<uint64_t> four, two;
  most(job, &four);
  job.set_workers(2);
  job.mutable_pipeline()->set_stages(2);
  job.mutable_pipeline()->set_layers("0-5, 6-9");
  most(job, &two);
  ASSERT_EQ(four.size(), 4u);
  ASSERT_EQ(two.size(), 2u);
  // Weights and gradients of a layer of 256 x 256 are 512 KiB.
  EXPECT_GT(four[1], 512u << 10);
  EXPECT_LT(four[1], 700u << 10);
  EXPECT_LT(four[3], 100u << 10);
  EXPECT_GT(two[0], four[0] + (512u << 10)) << "one more such layer";
}

TEST(PipelineTest, AModelAboveTheMemoryLimitTrainsOnlyWhenItIsSplit) {
  JobManifest job = PipelineJob(1, 1);
  for (Layer& layer : *job.mutable_model()->mutable_layers()) {
    if (layer.has_linear() && layer.linear().units() > 1) layer.mutable_linear()->set_units(256);
  }
  job.set_epochs(1);
  job.set_memory_limit(900 << 10);
  {
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    EXPECT_THAT(cluster.JoinWorkers(),
                StatusIs(absl::StatusCode::kResourceExhausted,
                         HasSubstr("does not fit into memory_limit, which is 921600 bytes")));
  }
  job.set_workers(3);
  job.mutable_pipeline()->set_stages(3);
  job.mutable_pipeline()->set_layers("0-2, 3-5, 6-9");
  InProcessCluster cluster(job);
  cluster.StartWorkers();
  EXPECT_EQ(cluster.Finish().samples_total(), 98u);
}

JobManifest LongJob(uint32_t stages) {
  JobManifest job = PipelineJob(1, stages);
  job.set_epochs(6);
  return job;
}

class LostStageTest : public ::testing::Test {
 protected:
  LostStageTest() {
    for (const char* name : {"a", "b", "c"}) cluster_.StartWorker(name, "50ms");
    SYNCLINE_EXPECT_OK(cluster_.WaitForStep(4));
  }
  std::string NameAt(int stage) { return cluster_.Status().teams(0).processes(stage).name(); }
  // Whoever has the stage dies, and another one comes.
  void Lose(int stage) {
    cluster_.process(NameAt(stage)).Kill();
    cluster_.StartWorker(absl::StrCat("new-", ++lost_), "50ms");
  }

  ProcessCluster cluster_{LongJob(3), absl::Seconds(2), /*start_shards=*/true};
  int lost_ = 0;
};

TEST_F(LostStageTest, AnotherWorkerTakesItOverAndNothingIsLost) {
  for (const int stage : {1, 2, 0}) {
    const uint64_t before = cluster_.Status().step();
    Lose(stage);
    SYNCLINE_ASSERT_OK(cluster_.WaitForStep(before + 2)) << cluster_.Logs();
  }
  EXPECT_EQ(cluster_.FinishedWeights(), TrainedWeights(LongJob(1))) << cluster_.Logs();
  EXPECT_EQ(cluster_.Status().samples_total(), 98u * 6);
}

// With copies of the weights, a shard may go too: each stage pushes again what went with it.
TEST(PipelineTest, ALostShardIsTakenOver) {
  JobManifest job = PipelineJob(1, 3);
  job.set_epochs(30);
  job.set_shards(3);
  job.set_replicas(2);
  JobManifest undisturbed = job;
  undisturbed.set_workers(1);
  undisturbed.mutable_pipeline()->set_stages(1);
  undisturbed.set_replicas(1);
  ProcessCluster cluster(job, absl::Seconds(1));
  for (const char* name : {"ps-0", "ps-1", "ps-2"}) cluster.StartShard(name);
  for (const char* name : {"a", "b", "c"}) cluster.StartWorker(name, "20ms");
  for (const int lost : {1, 0}) {
    SYNCLINE_ASSERT_OK(cluster.WaitForStep(cluster.Status().step() + 5)) << cluster.Logs();
    cluster.process(absl::StrCat("ps-", lost)).Kill();
    SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
      return status.map().shards_size() == 2 && !status.rescale().moving() && status.waiting_for().empty();
    })) << cluster.Logs();
    cluster.StartShard(absl::StrCat("ps-", 3 + lost));
    SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
      return status.map().shards_size() == 3 && !status.rescale().moving() && status.waiting_for().empty();
    })) << cluster.Logs();
  }
  EXPECT_EQ(cluster.Status().map().epoch() >> 32, 0u) << "the job did not begin anew";
  EXPECT_EQ(cluster.FinishedWeights(), TrainedWeights(undisturbed)) << cluster.Logs();
}

TEST_F(LostStageTest, WithoutOneTheJobSaysWhatItWaitsFor) {
  cluster_.process(NameAt(1)).Kill();
  SYNCLINE_ASSERT_OK(cluster_.WaitUntil([](const ClusterStatusReply& status) {
    return status.waiting_for().find("a worker to take stage 1 of replica 0") != std::string::npos;
  }));
  const uint64_t step = cluster_.Status().step();
  absl::SleepFor(absl::Milliseconds(300));
  EXPECT_EQ(cluster_.Status().step(), step);
}

}  // namespace
}  // namespace syncline
