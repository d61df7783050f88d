// Promise 7 and the rest of 4: what a lost worker had not committed is trained on by others.

#include "absl/synchronization/notification.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"
#include "worker/model/model_builder.h"
#include "worker/train/parameters.h"

namespace syncline {
namespace {

JobManifest Job(OnWorkerLoss on_loss) {
  JobManifest job = SmallJob(40, 60, 160);
  job.set_workers(2);
  job.set_shards(2);
  job.set_on_worker_loss(on_loss);
  return job;
}

// A worker that joins, takes work, pulls once, and is never heard of again.
void JoinAndVanish(const InProcessCluster& cluster) {
  ClientOptions options;
  options.coordinator = cluster.coordinator();
  auto client = Client::Connect(options);
  SYNCLINE_ASSERT_OK(client);
  const auto tensors = TensorSpecs(*ModelParameters(cluster.job().model()));
  SYNCLINE_ASSERT_OK((*client)->CreateTensors(tensors));
  LeaseReply lease;
  while (lease.steps().empty()) {
    auto reply = (*client)->Lease(cluster.job().data().samples(), 0, 0);
    SYNCLINE_ASSERT_OK(reply);
    ASSERT_FALSE(reply->finished()) << "the other worker was done before this one began";
    lease = *std::move(reply);
  }
  std::vector<std::vector<float>> values;
  std::vector<float*> to;
  for (const TensorSpec& tensor : tensors) {
    size_t size = 1;
    for (const uint64_t n : tensor.shape()) size *= n;
    values.emplace_back(size);
  }
  for (auto& value : values) to.push_back(value.data());
  absl::Notification pulled;
  (*client)->Pull(lease.steps(0).clock(), {to}, [&](const auto&) { pulled.Notify(); });
  pulled.WaitForNotification();
}

TEST(WorkerLossTest, WithDropTheRestMakeTheStepsAndEverySampleCounts) {
  InProcessCluster cluster(Job(DROP), "", absl::Seconds(1));
  cluster.StartWorker();
  JoinAndVanish(cluster);
  if (HasFatalFailure()) return;
  EXPECT_EQ(cluster.Finish().samples_total(), 320u);
}

TEST(WorkerLossTest, WithRedoANewWorkerTakesItsPlaceAndTheWeightsAreThoseWithoutLoss) {
  const Weights without_loss = TrainedWeights(Job(REDO));
  InProcessCluster cluster(Job(REDO), "", absl::Seconds(1));
  cluster.StartWorker();
  JoinAndVanish(cluster);
  if (HasFatalFailure()) return;
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const ClusterStatusReply& status) {
    return status.workers_size() == 2 && (!status.workers(0).live() || !status.workers(1).live());
  }));
  cluster.StartWorker();
  EXPECT_EQ(cluster.Finish().samples_total(), 320u);
  EXPECT_EQ(*CheckpointWeights(cluster.job().checkpoint().directory()), without_loss);
}

// Nobody comes in its place: the other worker makes its part of every step, then one that comes late does.
TEST(WorkerLossTest, WithRedoAnotherWorkerStandsIn) {
  JobManifest job = Job(REDO);
  job.set_epochs(20);
  const Weights without_loss = TrainedWeights(job);
  InProcessCluster cluster(job, "", absl::Seconds(1));
  cluster.StartWorker(absl::Milliseconds(5));
  JoinAndVanish(cluster);
  if (HasFatalFailure()) return;
  SYNCLINE_ASSERT_OK(cluster.WaitUntil([](const auto& status) { return status.step() > 40; }));
  const ClusterStatusReply status = cluster.Status();
  EXPECT_TRUE(status.workers(0).live() && status.workers(1).live());
  EXPECT_NE(status.ShortDebugString().find("standing in"), std::string::npos);
  cluster.StartWorker(absl::Milliseconds(5));
  EXPECT_EQ(cluster.Finish().samples_total(), 20 * 160u);
  EXPECT_EQ(*CheckpointWeights(cluster.job().checkpoint().directory()), without_loss);
  EXPECT_EQ(cluster.Status().workers_size(), 2) << "the late one has the lost one's rank";
}

TEST(WorkerLossTest, AsyncGoesOnWithoutIt) {
  JobManifest job = Job(REDO);
  job.set_sync_mode(ASYNC);
  job.mutable_optimizer()->set_learning_rate(0.001);
  InProcessCluster cluster(job, "", absl::Seconds(1));
  // It waits for nobody, and must leave something for the one that vanishes.
  cluster.StartWorker(/*step_delay=*/absl::Milliseconds(20));
  JoinAndVanish(cluster);
  if (HasFatalFailure()) return;
  EXPECT_EQ(cluster.Finish().samples_total(), 320u);
}

}  // namespace
}  // namespace syncline
