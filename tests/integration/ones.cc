#include "tests/integration/ones.h"

#include <algorithm>
#include <string>

#include "absl/synchronization/notification.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

const size_t kSizes[] = {5000, 3000, 7, 1};

// Of a job with a table.
constexpr size_t kKeys = 200, kDim = 3;

std::vector<uint64_t> RowKeys() {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < kKeys; ++i) keys.push_back(i << 32);
  return keys;
}

// What a call that ends later comes to.
template <typename Begin>
absl::Status Wait(const Begin& begin) {
  absl::Status status;
  absl::Notification done;
  begin([&](const auto& result) {
    status = StatusOf(result);
    done.Notify();
  });
  done.WaitForNotification();
  return status;
}

// Memory for a gradient or the weights.
struct Memory {
  explicit Memory(float value) {
    for (const size_t size : kSizes) tensors.emplace_back(size, value);
    for (auto& tensor : tensors) places.push_back(tensor.data());
  }

  std::vector<std::vector<float>> tensors;
  std::vector<float*> places;
};

// What each push brings of tensors: they may be looked at until the next step begins.
const std::vector<Client::Gradient>& Gradients() {
  static Memory ones(-1);
  static const std::vector<Client::Gradient> gradients = [] {
    std::vector<Client::Gradient> all;
    for (size_t t = 0; t < ones.places.size(); ++t) all.push_back({t, ones.places[t]});
    return all;
  }();
  return gradients;
}

}  // namespace

JobManifest OnesJob(SyncMode mode) {
  JobManifest job = SmallJob(40, 300, 4000);
  job.set_workers(2);
  job.set_sync_mode(mode);
  job.mutable_optimizer()->Clear();
  job.mutable_optimizer()->set_kind(SGD);
  job.mutable_optimizer()->set_learning_rate(1);
  return job;
}

JobManifest OnesJobWithTable(SyncMode mode) {
  JobManifest job = OnesJob(mode);
  Table* const table = job.add_tables();
  table->set_name("rows");
  table->set_dim(kDim);
  table->set_slots(20);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(1);
  return job;
}

Ones::Ones(InProcessCluster& cluster, int workers) : pushed_(workers) {
  std::vector<TensorSpec> tensors;
  for (const size_t size : kSizes) {
    TensorSpec& tensor = tensors.emplace_back();
    tensor.set_name("t" + std::to_string(size));
    tensor.add_shape(size);
  }
  for (int i = 0; i < workers; ++i) {
    ClientOptions options;
    options.coordinator = cluster.coordinator();
    auto client = Client::Connect(options);
    SYNCLINE_EXPECT_OK(client.status());
    clients_.push_back(*std::move(client));
    SYNCLINE_EXPECT_OK(clients_.back()->CreateTensors(tensors));
  }
}

void Ones::Begin(Clock steps) {
  for (size_t i = 0; i < clients_.size(); ++i) {
    threads_.emplace_back([this, i, steps] { Push(clients_[i].get(), steps, &pushed_[i]); });
  }
}

void Ones::Push(Client* client, Clock steps, uint64_t* pushed) {
  Memory weights(0);
  const std::vector<uint64_t> keys = RowKeys();
  std::vector<float> rows(kKeys * kDim), row_ones(kKeys * kDim, -1);
  for (Clock clock = 0; clock < steps; ++clock) {
    SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Pull(clock, {weights.places}, done); }));
    SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Push(clock, Gradients(), done); }));
    if (client->job().tables_size() > 0) {
      // Whoever answers, owner or copy, has what anybody was told is applied.
      const auto least = static_cast<float>(pushed_rows_.load());
      SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->PullRows(clock, {{0, keys, rows.data()}}, done); }));
      ASSERT_GE(*std::min_element(rows.begin(), rows.end()), least);
      SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->PushRows(clock, {{0, keys, row_ones.data()}}, done); }));
      ++pushed_rows_;
    }
    ++*pushed;
    SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Commit(clock, 1, {}, done); }));
  }
}

void Ones::Contribute(int worker, Clock clock) {
  Client* const client = clients_[worker].get();
  const std::vector<uint64_t> keys = RowKeys();
  const std::vector<float> row_ones(kKeys * kDim, -1);
  SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Push(clock, Gradients(), done); }));
  SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->PushRows(clock, {{0, keys, row_ones.data()}}, done); }));
  std::vector<Rank> ranks;
  for (const auto& each : clients_) ranks.push_back(each->rank());
  SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Commit(clock, 1, ranks, done); }));
}

void Ones::ExpectPulled(int worker, Clock clock) {
  Client* const client = clients_[worker].get();
  Memory weights(-1);
  const std::vector<uint64_t> keys = RowKeys();
  std::vector<float> rows(kKeys * kDim);
  SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->Pull(clock, {weights.places}, done); }));
  SYNCLINE_ASSERT_OK(Wait([&](auto done) { client->PullRows(clock, {{0, keys, rows.data()}}, done); }));
  const auto steps = static_cast<float>(clock);
  for (const auto& tensor : weights.tensors) EXPECT_THAT(tensor, testing::Each(steps));
  EXPECT_THAT(rows, testing::Each(steps));
}

void Ones::ExpectAllCount() {
  for (std::thread& thread : threads_) thread.join();
  float total = 0;
  for (const uint64_t pushed : pushed_) total += static_cast<float>(pushed);
  EXPECT_GT(total, 0);
  Memory weights(0);
  SYNCLINE_EXPECT_OK(Wait([&](auto done) { clients_[0]->Observe({weights.places}, done); }));
  for (const auto& tensor : weights.tensors) {
    for (const float weight : tensor) ASSERT_EQ(weight, total);
  }
  if (clients_[0]->job().tables_size() == 0) return;
  std::vector<float> rows(kKeys * kDim);
  SYNCLINE_EXPECT_OK(
      Wait([&](auto done) { clients_[0]->ObserveRows({{0, RowKeys(), rows.data()}}, done); }));
  EXPECT_THAT(rows, testing::Each(total));
}

}  // namespace syncline
