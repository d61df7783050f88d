// Tensors of workers and shards on one host go through memory that the workers lend.

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

std::unique_ptr<ParameterServer::Stub> StubOf(const std::string& address) {
  return ParameterServer::NewStub(*MakeChannel(address, {}));
}

ShardStatusReply StatusOf(const std::string& shard) {
  const auto status =
      Call<ShardStatusReply>(*StubOf(shard), &ParameterServer::Stub::ShardStatus,
                             ShardStatusRequest(), absl::Seconds(10));
  SYNCLINE_EXPECT_OK(status.status());
  return status.ok() ? *status : ShardStatusReply();
}

TEST(SharedMemoryTest, EveryTensorGoesThroughIt) {
  JobManifest job = SmallJob(40, 60, 100);
  job.set_workers(2);
  job.set_shards(2);
  for (const bool shared : {true, false}) {
    job.set_shared_memory(shared);
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    cluster.Finish();
    for (int shard = 0; shard < 2; ++shard) {
      const ShardStatusReply status = StatusOf(cluster.shard(shard));
      const uint64_t bytes = status.pushed_bytes() + status.pulled_bytes();
      EXPECT_GT(bytes, 0u);
      EXPECT_EQ(status.shared_bytes(), shared ? bytes : 0u);
    }
  }
}

// One shard in async mode with a tensor of two floats, and a client that lends one block.
class LendingClientTest : public testing::Test {
 protected:
  LendingClientTest() : cluster_(Job()), shard_(StubOf(cluster_.shard(0))) {
    ClientOptions options;
    options.coordinator = cluster_.coordinator();
    client_ = *Client::Connect(options);
    client_->Lend(memory_);
    TensorSpec tensor;
    tensor.set_name("w");
    tensor.add_shape(2);
    SYNCLINE_EXPECT_OK(client_->CreateTensors({tensor}));
  }

  static JobManifest Job() {
    JobManifest job = SmallJob(1, 1, 1);
    job.set_sync_mode(ASYNC);
    job.mutable_optimizer()->set_kind(SGD);
    job.mutable_optimizer()->set_learning_rate(1);
    return job;
  }

  absl::Status Push(Clock clock, const float* gradient) {
    return Await([&](Client::Done done) { client_->Push(clock, {{0, gradient}}, done); });
  }
  absl::Status Observe(float* to) {
    return Await([&](Client::Done done) { client_->Observe({{&to, 1}}, done); });
  }
  static absl::Status Await(const std::function<void(Client::Done)>& begin) {
    absl::Notification done;
    absl::Status result;
    begin([&](absl::Status status) {
      result = std::move(status);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4096);
  float* const floats_ = reinterpret_cast<float*>(memory_->data());
  InProcessCluster cluster_;
  const std::unique_ptr<ParameterServer::Stub> shard_;
  std::unique_ptr<Client> client_;
};

TEST_F(LendingClientTest, LentAndOtherMemoryGoTogether) {
  EXPECT_EQ(client_->shards_on_this_host(), 1);
  float weights[2];
  SYNCLINE_ASSERT_OK(Observe(weights));
  EXPECT_EQ(StatusOf(cluster_.shard(0)).shared_bytes(), 0u);

  floats_[10] = 1;
  floats_[11] = 2;
  SYNCLINE_ASSERT_OK(Push(0, floats_ + 10));
  const float more[2] = {10, 20};
  SYNCLINE_ASSERT_OK(Push(1, more));
  EXPECT_EQ(StatusOf(cluster_.shard(0)).shared_bytes(), 8u);
  SYNCLINE_ASSERT_OK(Observe(floats_));
  EXPECT_EQ(StatusOf(cluster_.shard(0)).shared_bytes(), 16u);
  EXPECT_EQ(floats_[0], weights[0] - 11);
  EXPECT_EQ(floats_[1], weights[1] - 22);
  EXPECT_EQ(floats_[10], 1) << "a pull wrote where it should not";
}

TEST_F(LendingClientTest, AClientThatHasGoneLendsNothing) {
  EXPECT_EQ(StatusOf(cluster_.shard(0)).segments(), 1u);
  client_.reset();  // without leaving, as one that died
  const absl::Time limit = absl::Now() + absl::Seconds(10);
  while (StatusOf(cluster_.shard(0)).segments() > 0 && absl::Now() < limit) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(StatusOf(cluster_.shard(0)).segments(), 0u);
}

TEST_F(LendingClientTest, PlacesMeanNothingToTheNetwork) {
  PushRequest push;
  *push.mutable_header()->mutable_sender() = SenderOf(*client_);
  push.mutable_header()->set_segment(1);
  push.add_chunks();
  EXPECT_THAT(
      Call<PushReply>(*shard_, &ParameterServer::Stub::Push, push, absl::Seconds(10)).status(),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("segment")));
  PullRequest pull;
  *pull.mutable_sender() = SenderOf(*client_);
  pull.set_segment(1);
  pull.add_chunks(0);
  EXPECT_THAT(
      Call<PullReply>(*shard_, &ParameterServer::Stub::Pull, pull, absl::Seconds(10)).status(),
      StatusIs(StatusCode::kInvalidArgument, HasSubstr("segment")));
}

// A client whose rows' memory is lent, beside a table of eight slots on two shards.
class LentRowsTest : public testing::TestWithParam<SyncMode> {
 protected:
  static constexpr size_t kRows = 3000, kDim = 2;

  LentRowsTest() : cluster_(Job(GetParam())) {
    ClientOptions options;
    options.coordinator = cluster_.coordinator();
    client_ = *Client::Connect(options);
    client_->Lend(room_);
    TensorSpec tensor;
    tensor.set_name("w");
    tensor.add_shape(2);
    SYNCLINE_EXPECT_OK(client_->CreateTensors({tensor}));
    SYNCLINE_EXPECT_OK(client_->Lease(100, 0, 0).status());
    for (uint64_t i = 0; i < kRows; ++i) keys_.push_back(i * 7919);
  }
  static JobManifest Job(SyncMode mode) {
    JobManifest job = SmallJob(1, 1, 100);
    job.set_sync_mode(mode);
    job.set_shards(2);
    job.mutable_optimizer()->set_kind(SGD);
    job.mutable_optimizer()->set_learning_rate(1);
    Table* const table = job.add_tables();
    table->set_name("rows");
    table->set_dim(kDim);
    table->set_slots(8);
    table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
    table->mutable_optimizer()->set_learning_rate(1);
    return job;
  }
  template <typename Begin>
  static void Await(const Begin& begin) {
    absl::Notification done;
    begin([&](const absl::Status& status) {
      SYNCLINE_EXPECT_OK(status);
      done.Notify();
    });
    done.WaitForNotification();
  }
  std::vector<float> Observe(float* to) {
    Await([&](auto done) { client_->ObserveRows({{0, keys_, to}}, done); });
    return {to, to + kRows * kDim};
  }
  void Step(Clock clock, const std::vector<float>& gradients) {
    const float zero[2] = {};
    Await([&](auto done) { client_->Push(clock, {{0, zero}}, done); });
    Await([&](auto done) { client_->PushRows(clock, {{0, keys_, gradients.data()}}, done); });
    Await([&](auto done) {
      client_->Commit(clock, 1, {0}, [done](const auto& accepted) { done(accepted.status()); });
    });
    Await([&](auto done) {
      client_->PullRows(clock + 1, {{0, keys_, lent_}}, [done](const auto& pulled) { done(pulled.status()); });
    });
  }
  // Does it again until `bytes` of a time go through shared memory: a block that was just lent is used once the shard has
  // heard of it.
  template <typename Do>
  void UntilShared(uint64_t bytes, const Do& it) {
    uint64_t shared = 0;
    for (int times = 0; shared != bytes && times < 100; ++times) {
      const uint64_t before = SharedBytes();
      it();
      shared = SharedBytes() - before;
    }
    EXPECT_EQ(shared, bytes);
  }
  uint64_t SharedBytes() {
    return StatusOf(cluster_.shard(0)).shared_bytes() + StatusOf(cluster_.shard(1)).shared_bytes();
  }

  const std::shared_ptr<SharedMemory> room_ = *SharedMemory::Create(kRows * kDim * sizeof(float));
  float* const lent_ = reinterpret_cast<float*>(room_->data());
  std::vector<uint64_t> keys_;
  InProcessCluster cluster_;
  std::unique_ptr<Client> client_;
};

TEST_P(LentRowsTest, RowsAndTheirGradientsGoThroughItToo) {
  std::vector<float> own(kRows * kDim), gradients(kRows * kDim);
  for (size_t i = 0; i < gradients.size(); ++i) gradients[i] = static_cast<float>(i);
  const std::vector<float> begin = Observe(own.data());
  EXPECT_EQ(SharedBytes(), 0u) << "where they go is not lent";
  const uint64_t bytes = own.size() * sizeof(float);
  UntilShared(bytes, [&] { EXPECT_EQ(Observe(lent_), begin); });
  Clock clock = 0;
  UntilShared(2 * bytes, [&] { Step(clock++, gradients); });
  for (size_t i = 0; i < own.size(); ++i) {
    float weight = begin[i];
    for (Clock step = 0; step < clock; ++step) weight -= gradients[i];
    EXPECT_EQ(lent_[i], weight);
  }
  EXPECT_EQ(Observe(own.data()), std::vector<float>(lent_, lent_ + own.size()));
}

INSTANTIATE_TEST_SUITE_P(Modes, LentRowsTest, testing::Values(SYNC, BOUNDED, ASYNC),
                         [](const auto& info) { return SyncMode_Name(info.param); });

TEST_F(LendingClientTest, NaNInLentMemoryIsRefusedToo) {
  floats_[0] = std::nanf("");
  EXPECT_THAT(Push(0, floats_), StatusIs(StatusCode::kInvalidArgument, HasSubstr("NaN")));
}

}  // namespace
}  // namespace syncline
