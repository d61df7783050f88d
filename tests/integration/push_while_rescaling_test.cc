// Promise 2 while chunks move: every acknowledged push is applied, once.

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"

namespace syncline {
namespace {

JobManifest Job() {
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_shards(2);
  return job;
}

// Adds 1 to every weight with each push; what was acknowledged is counted.
void PushOnes(Client* client, const std::vector<size_t>& sizes, Clock steps, uint64_t* pushed) {
  std::vector<std::vector<float>> weights, ones;
  std::vector<float*> to;
  std::vector<Client::Gradient> gradients;
  for (const size_t size : sizes) {
    weights.emplace_back(size);
    ones.emplace_back(size, -1.0f);
  }
  for (size_t t = 0; t < sizes.size(); ++t) {
    to.push_back(weights[t].data());
    gradients.push_back({t, ones[t].data()});
  }
  const auto wait = [](const auto& begin) {
    absl::Status status;
    absl::Notification done;
    begin([&](const auto& result) {
      status = StatusOf(result);
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  };
  for (Clock clock = 0; clock < steps; ++clock) {
    SYNCLINE_ASSERT_OK(wait([&](auto done) { client->Pull(clock, {to}, done); }));
    SYNCLINE_ASSERT_OK(wait([&](auto done) { client->Push(clock, gradients, done); }));
    ++*pushed;
    SYNCLINE_ASSERT_OK(wait([&](auto done) { client->Commit(clock, 1, {}, done); }));
  }
}

class RescaleByMode : public testing::TestWithParam<SyncMode> {};

TEST_P(RescaleByMode, EveryPushIsAppliedOnce) {
  JobManifest job = Job();
  job.set_sync_mode(GetParam());
  job.mutable_optimizer()->Clear();
  job.mutable_optimizer()->set_kind(SGD);
  job.mutable_optimizer()->set_learning_rate(1);
  InProcessCluster cluster(job);
  const std::vector<size_t> sizes = {5000, 3000, 7, 1};
  std::vector<TensorSpec> tensors;
  for (const size_t size : sizes) {
    TensorSpec& tensor = tensors.emplace_back();
    tensor.set_name("t" + std::to_string(size));
    tensor.add_shape(size);
  }
  constexpr int kWorkers = 3;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kWorkers; ++i) {
    ClientOptions options;
    options.coordinator = cluster.coordinator();
    auto client = Client::Connect(options);
    SYNCLINE_ASSERT_OK(client.status());
    clients.push_back(*std::move(client));
    SYNCLINE_ASSERT_OK(clients.back()->CreateTensors(tensors));
  }
  std::vector<uint64_t> pushed(kWorkers);
  std::vector<std::thread> threads;
  for (int i = 0; i < kWorkers; ++i) {
    threads.emplace_back(
        [&, i] { PushOnes(clients[i].get(), sizes, 1000, &pushed[i]); });
  }
  for (const int shards : {4, 1, 3}) {
    const ClusterStatusReply now = cluster.Status();
    const int there = now.map().shards_size() + now.rescale().spare_size();
    for (int i = there; i < shards; ++i) cluster.StartShard();
    cluster.Scale(static_cast<uint32_t>(shards));
    SYNCLINE_EXPECT_OK(cluster.WaitForShards(shards));
  }
  for (std::thread& thread : threads) thread.join();
  const auto total = static_cast<float>(pushed[0] + pushed[1] + pushed[2]);
  EXPECT_EQ(total, 1000.0f * kWorkers);
  std::vector<std::vector<float>> weights;
  std::vector<float*> to;
  for (const size_t size : sizes) weights.emplace_back(size);
  for (auto& tensor : weights) to.push_back(tensor.data());
  absl::Notification observed;
  clients[0]->Observe({to}, [&](const absl::Status& status) {
    SYNCLINE_EXPECT_OK(status);
    observed.Notify();
  });
  observed.WaitForNotification();
  for (const auto& tensor : weights) {
    for (const float weight : tensor) ASSERT_EQ(weight, total);
  }
}

INSTANTIATE_TEST_SUITE_P(Modes, RescaleByMode, testing::Values(BOUNDED, ASYNC));

}  // namespace
}  // namespace syncline
