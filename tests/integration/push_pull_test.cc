// A push, its commit and the next pull in one round trip, and pulls of what has changed alone.

#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
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
using testing::Each;
using testing::HasSubstr;

constexpr size_t kSize = 1500;  // elements of a tensor: two chunks of the small job

struct Setting {
  SyncMode mode = SYNC;
  uint32_t shards = 1;
  bool shared_memory = false;
};

// One client with two tensors that begin at 0 and move by minus the gradient.
class PushPullTest : public testing::TestWithParam<Setting> {
 protected:
  PushPullTest() : cluster_(Job()) {
    ClientOptions options;
    options.coordinator = cluster_.coordinator();
    client_ = *Client::Connect(options);
    client_->Lend(memory_);
    std::vector<TensorSpec> tensors(2);
    for (size_t t = 0; t < 2; ++t) {
      tensors[t].set_name(t == 0 ? "a" : "b");
      tensors[t].add_shape(kSize);
    }
    SYNCLINE_EXPECT_OK(client_->CreateTensors(tensors));
    for (int t = 0; t < 4; ++t) {
      float* const begin = reinterpret_cast<float*>(memory_->data()) + t * kSize;
      (t < 2 ? weights_ : gradients_).push_back(begin);
    }
    SYNCLINE_EXPECT_OK(client_->Lease(100, 0, 0).status());
  }

  static JobManifest Job() {
    JobManifest job = SmallJob(1, 1, 100);
    job.set_sync_mode(GetParam().mode);
    job.set_workers(2);
    job.set_shards(GetParam().shards);
    job.set_shared_memory(GetParam().shared_memory);
    job.mutable_optimizer()->set_kind(SGD);
    job.mutable_optimizer()->set_learning_rate(1);
    return job;
  }

  static absl::StatusOr<Client::PullOutcome> Await(
      const std::function<void(Client::PullDone)>& begin) {
    absl::Notification done;
    absl::StatusOr<Client::PullOutcome> result;
    begin([&](absl::StatusOr<Client::PullOutcome> outcome) {
      result = std::move(outcome);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }
  absl::StatusOr<Client::PullOutcome> Pull(Clock clock, bool untouched) {
    return Await([&](Client::PullDone done) {
      client_->Pull(clock, {weights_, nullptr, untouched}, std::move(done));
    });
  }
  absl::StatusOr<Client::PullOutcome> PushPull(Clock clock,
                                               const std::vector<Client::Gradient>& gradients,
                                               uint64_t samples = 1) {
    return Await([&](Client::PullDone done) {
      client_->PushPull({clock, samples, {0}, clock + 1}, gradients, {weights_, nullptr, true},
                        std::move(done));
    });
  }
  // Of all shards together.
  uint64_t Sum(uint64_t (ShardStatusReply::*field)() const) {
    uint64_t sum = 0;
    for (uint32_t shard = 0; shard < GetParam().shards; ++shard) {
      const auto status =
          Call<ShardStatusReply>(*Stub(shard), &ParameterServer::Stub::ShardStatus,
                                 ShardStatusRequest(), absl::Seconds(10));
      SYNCLINE_EXPECT_OK(status.status());
      if (status.ok()) sum += ((*status).*field)();
    }
    return sum;
  }
  uint64_t pulled() { return Sum(&ShardStatusReply::pulled_bytes); }
  uint64_t unchanged() { return Sum(&ShardStatusReply::unchanged_bytes); }
  std::unique_ptr<ParameterServer::Stub> Stub(int shard) const {
    return ParameterServer::NewStub(*MakeChannel(cluster_.shard(shard), {}));
  }
  std::vector<float> Weights(size_t tensor) const {
    return {weights_[tensor], weights_[tensor] + kSize};
  }

  const std::shared_ptr<SharedMemory> memory_ = *SharedMemory::Create(4 * kSize * sizeof(float));
  std::vector<float*> weights_, gradients_;
  InProcessCluster cluster_;
  std::unique_ptr<Client> client_;
};

constexpr uint64_t kTensorBytes = kSize * sizeof(float);

TEST_P(PushPullTest, PullsBringOnlyWhatHasChanged) {
  SYNCLINE_ASSERT_OK(Pull(0, true).status());
  EXPECT_EQ(pulled(), 2 * kTensorBytes);
  EXPECT_EQ(unchanged(), 0u);
  SYNCLINE_ASSERT_OK(Pull(0, true).status());
  EXPECT_EQ(pulled(), 2 * kTensorBytes) << "nothing has changed";
  EXPECT_EQ(unchanged(), 2 * kTensorBytes);
  EXPECT_THAT(Weights(0), Each(0));

  std::fill_n(weights_[0], kSize, 7.0f);
  SYNCLINE_ASSERT_OK(Pull(0, false).status());
  EXPECT_EQ(pulled(), 4 * kTensorBytes) << "the caller has written there";
  EXPECT_THAT(Weights(0), Each(0));

  // The same weights to another place.
  weights_[1] = gradients_[1];
  std::fill_n(weights_[1], kSize, 7.0f);
  SYNCLINE_ASSERT_OK(Pull(0, true).status());
  EXPECT_EQ(pulled(), 5 * kTensorBytes);
  EXPECT_THAT(Weights(1), Each(0));
}

TEST_P(PushPullTest, EndsAStepAndPullsTheNext) {
  SYNCLINE_ASSERT_OK(Pull(0, true).status());
  std::fill_n(gradients_[0], kSize, 1.0f);
  std::fill_n(gradients_[1], kSize, 2.0f);
  auto outcome = PushPull(0, {{1, gradients_[1]}, {0, gradients_[0]}});
  SYNCLINE_ASSERT_OK(outcome.status());
  EXPECT_EQ(outcome->verdict, PullReply::GRANTED);
  EXPECT_EQ(outcome->clock, 1u);
  EXPECT_THAT(Weights(0), Each(-1));
  EXPECT_THAT(Weights(1), Each(-2));

  // What was pushed before is committed as well.
  absl::Notification pushed;
  client_->Push(1, {{1, gradients_[1]}}, [&](const absl::Status& status) {
    SYNCLINE_EXPECT_OK(status);
    pushed.Notify();
  });
  pushed.WaitForNotification();
  SYNCLINE_ASSERT_OK(PushPull(1, {{0, gradients_[0]}}).status());
  EXPECT_THAT(Weights(0), Each(-2));
  EXPECT_THAT(Weights(1), Each(-4));
}

TEST_P(PushPullTest, NothingPushedIsAStepToo) {
  SYNCLINE_ASSERT_OK(PushPull(0, {}, 0).status());
  EXPECT_THAT(Weights(0), Each(0));
  std::fill_n(gradients_[0], kSize, 1.0f);
  SYNCLINE_ASSERT_OK(PushPull(1, {{1, gradients_[0]}, {0, gradients_[0]}}).status());
  EXPECT_THAT(Weights(0), Each(-1));
}

TEST_P(PushPullTest, AnErrorOfOnePartIsTheErrorOfAll) {
  std::fill_n(gradients_[0], kSize, NAN);
  EXPECT_THAT(PushPull(0, {{1, gradients_[1]}, {0, gradients_[0]}}).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("NaN")));
  EXPECT_THAT(PushPull(0, {{2, gradients_[0]}}).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("no tensor 2")));
}

TEST_P(PushPullTest, EachWorkerIsGrantedItsPartOfTheShardsMemory) {
  PushRequest request;
  *request.mutable_header()->mutable_sender() = SenderOf(*client_);
  const auto granted = [&]() -> uint64_t {
    const auto reply =
        Call<PushReply>(*Stub(0), &ParameterServer::Stub::Push, request, absl::Seconds(10));
    SYNCLINE_EXPECT_OK(reply.status());
    return reply.ok() ? reply->window() : 0;
  };
  EXPECT_EQ(granted(), uint64_t{1} << 30);
  ClientOptions options;
  options.coordinator = cluster_.coordinator();
  const auto second = Client::Connect(options);
  SYNCLINE_ASSERT_OK(second.status());
  EXPECT_EQ(granted(), uint64_t{1} << 29);
}

// What another client might send.
TEST_P(PushPullTest, ChecksWhatComesTogether) {
  PushRequest request;
  *request.mutable_header()->mutable_sender() = SenderOf(*client_);
  const auto call = [&](auto method) {
    return Call<PullReply>(*Stub(0), method, request, absl::Seconds(10)).status();
  };
  request.mutable_commit()->set_samples(1);
  EXPECT_THAT(call(&ParameterServer::Stub::PushPull),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("needs both")));
  EXPECT_THAT(Call<PushReply>(*Stub(0), &ParameterServer::Stub::Push, request, absl::Seconds(10))
                  .status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("PushPull only")));
  request.mutable_pull()->add_chunks(0);
  request.mutable_pull()->add_held(1);
  request.mutable_pull()->add_held(1);
  request.mutable_pull()->set_observer(true);
  request.mutable_pull()->set_codec(TOPK);
  EXPECT_THAT(call(&ParameterServer::Stub::PushPull),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("codec")));
  if (GetParam().mode != SYNC || GetParam().shards == 1) return;
  request.mutable_pull()->clear_codec();
  request.add_chunks()->set_data(std::string(4096, '\0'));
  EXPECT_THAT(call(&ParameterServer::Stub::PushPull),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("several shards")));
}

INSTANTIATE_TEST_SUITE_P(
    Everywhere, PushPullTest,
    testing::Values(Setting{SYNC, 1, false}, Setting{SYNC, 1, true}, Setting{SYNC, 2, false},
                    Setting{SYNC, 2, true}, Setting{BOUNDED, 2, false}, Setting{ASYNC, 1, true},
                    Setting{ASYNC, 2, false}),
    [](const auto& info) {
      return absl::StrCat(SyncMode_Name(info.param.mode), info.param.shards,
                          info.param.shared_memory ? "Shared" : "");
    });

}  // namespace
}  // namespace syncline
