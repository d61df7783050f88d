// A job stopped at a step and restored on another number of shards ends with the same weights.

#include "common/rpc/call.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job(OptimizerKind optimizer, uint32_t shards) {
  JobManifest job = SmallJob(40, 60, 150);
  job.mutable_optimizer()->set_kind(optimizer);
  job.set_workers(2);
  job.set_shards(shards);
  job.set_epochs(4);
  return job;
}

// Stops a job somewhere in the middle by draining it.
void RunHalf(const JobManifest& job) {
  InProcessCluster cluster(job);
  cluster.StartWorker();
  cluster.StartWorker(absl::Milliseconds(2));
  SYNCLINE_ASSERT_OK(
      cluster.WaitUntil([](const ClusterStatusReply& status) { return status.step() >= 5; }));
  const auto drained = Call<DrainReply>(cluster.stub(), &Coordinator::Stub::Drain, DrainRequest(),
                                        absl::Seconds(30));
  SYNCLINE_ASSERT_OK(drained);
  EXPECT_NE(drained->checkpoint(), "");
  SYNCLINE_EXPECT_OK(cluster.JoinWorkers());
  const ClusterStatusReply status = cluster.Status();
  EXPECT_EQ(status.shards(0).step(), status.shards(1).step()) << "all shards at one step";
  EXPECT_LT(status.shards(0).step(), 40u) << "the job should not have been at its end";
}

class RestoreTest : public testing::TestWithParam<OptimizerKind> {};

TEST_P(RestoreTest, GoesOnToTheSameBits) {
  const Weights whole = TrainedWeights(Job(GetParam(), 2));
  JobManifest half = Job(GetParam(), 2);
  RunHalf(half);
  if (HasFatalFailure()) return;
  JobManifest rest = half;
  rest.set_shards(3);
  EXPECT_EQ(TrainedWeights(rest, "latest"), whole);
}

INSTANTIATE_TEST_SUITE_P(Optimizers, RestoreTest, testing::Values(MOMENTUM, ADAM),
                         [](const auto& info) { return OptimizerKind_Name(info.param); });

// The first checkpoint of a job that takes them as it goes.
std::string FirstCheckpoint(InProcessCluster* cluster) {
  std::string first;
  SYNCLINE_EXPECT_OK(cluster->WaitUntil([&](const ClusterStatusReply& status) {
    first = status.last_checkpoint();
    return !first.empty();
  }));
  return first;
}

// Workers that keep something from step to step themselves.
JobManifest CarryingJob(const std::string& how, uint32_t shards) {
  JobManifest job = Job(how == "local_steps" ? ADAM : MOMENTUM, shards);
  if (how == "topk") job.set_push_codec(TOPK);
  if (how == "onebit") job.set_push_codec(ONEBIT);
  if (how == "local_steps") {
    job.set_batch_size(4);
    job.set_local_steps(3);
  }
  return job;
}

class CarriedStateTest : public testing::TestWithParam<const char*> {};

TEST_P(CarriedStateTest, IsThereAgainAfterADrain) {
  const Weights whole = TrainedWeights(CarryingJob(GetParam(), 2));
  JobManifest job = CarryingJob(GetParam(), 2);
  RunHalf(job);
  if (HasFatalFailure()) return;
  job.set_shards(3);
  EXPECT_EQ(TrainedWeights(job, "latest"), whole);
}

TEST_P(CarriedStateTest, IsInCheckpointsTakenWhileTrainingGoesOn) {
  JobManifest job = CarryingJob(GetParam(), 2);
  job.mutable_checkpoint()->set_interval_steps(5);
  job.mutable_checkpoint()->set_keep(100);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  cluster.StartWorker(absl::Milliseconds(10));
  const std::string first = FirstCheckpoint(&cluster);
  cluster.Finish();
  const Weights whole = *CheckpointWeights(job.checkpoint().directory());
  EXPECT_EQ(TrainedWeights(CarryingJob(GetParam(), 3), first), whole);
}

INSTANTIATE_TEST_SUITE_P(How, CarriedStateTest, testing::Values("topk", "onebit", "local_steps"),
                         [](const auto& info) { return info.param; });

TEST(IntervalTest, CheckpointsAreTakenWhileTrainingGoesOn) {
  JobManifest job = Job(MOMENTUM, 2);
  job.mutable_checkpoint()->set_interval_steps(10);
  job.mutable_checkpoint()->set_keep(100);
  InProcessCluster cluster(job);
  cluster.StartWorker();
  cluster.StartWorker(absl::Milliseconds(10));
  const std::string first = FirstCheckpoint(&cluster);
  EXPECT_NE(cluster.Status().phase(), ClusterStatusReply::FINISHED);
  EXPECT_EQ(first.substr(first.size() - 1), "0") << first << " is at a multiple of 10";
  cluster.Finish();
  EXPECT_EQ(*CheckpointWeights(job.checkpoint().directory()), TrainedWeights(Job(MOMENTUM, 1)));
}

}  // namespace
}  // namespace syncline
