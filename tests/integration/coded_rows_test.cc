// Rows of tables that travel in fewer bytes.

#include <cmath>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/one_weight.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kDim = 16, kKeys = 500;

JobManifest Job(Codec push, Codec pull, uint32_t shards) {
  JobManifest job = SmallJob(1, 1, 1000);
  job.set_shards(shards);
  job.set_push_codec(push);
  job.set_pull_codec(pull);
  Table* const table = job.add_tables();
  table->set_name("items");
  table->set_dim(kDim);
  table->set_slots(8);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(1);
  return job;
}

template <typename Begin>
void Wait(const Begin& begin) {
  absl::Notification done;
  begin([&](const absl::Status& status) {
    SYNCLINE_EXPECT_OK(status);
    done.Notify();
  });
  done.WaitForNotification();
}

struct Outcome {
  std::vector<float> rows;
  uint64_t pushed = 0, shared = 0;
};

// Some rows after one step, which took these from them.
Outcome Step(const JobManifest& job, const std::vector<float>& gradients) {
  InProcessCluster cluster(job);
  const auto client = ConnectWithOneWeight(cluster, 100);
  std::vector<uint64_t> keys(kKeys);
  for (size_t i = 0; i < kKeys; ++i) keys[i] = i * 7919;
  Outcome outcome;
  outcome.rows.resize(kKeys * kDim);
  const float zero = 0;
  Wait([&](auto done) { client->Push(0, {{0, &zero}}, done); });
  Wait([&](auto done) { client->PushRows(0, {{0, keys, gradients.data()}}, done); });
  Wait([&](auto done) { client->Commit(0, 1, {0}, [done](auto made) { done(made.status()); }); });
  Wait([&](auto done) {
    client->PullRows(1, {{0, keys, outcome.rows.data()}}, [done](auto pulled) { done(pulled.status()); });
  });
  for (uint32_t shard = 0; shard < job.shards(); ++shard) {
    const auto stub = ParameterServer::NewStub(*MakeChannel(cluster.shard(static_cast<int>(shard)), {}));
    const auto status = Call<ShardStatusReply>(*stub, &ParameterServer::Stub::ShardStatus, ShardStatusRequest(),
                                               absl::Seconds(10));
    SYNCLINE_EXPECT_OK(status.status());
    if (!status.ok()) continue;
    outcome.pushed += status->pushed_bytes();
    outcome.shared += status->shared_bytes();
  }
  return outcome;
}

// Each row is of another size, from 1 to a thousandth.
std::vector<float> Gradients() {
  std::vector<float> gradients(kKeys * kDim);
  for (size_t i = 0; i < gradients.size(); ++i) {
    gradients[i] = std::sin(static_cast<float>(i)) * std::pow(10.0f, -static_cast<float>(i / kDim % 4));
  }
  return gradients;
}

TEST(CodedRowsTest, ComeOutTheSameOnAnyNumberOfShardsAndAsExactAsTheirCodec) {
  const std::vector<float> gradients = Gradients();
  for (const Codec codec : {FP16, BF16, INT8}) {
    const Outcome one = Step(Job(codec, CODEC_NONE, 1), gradients), two = Step(Job(codec, CODEC_NONE, 2), gradients);
    EXPECT_EQ(one.rows, two.rows) << Codec_Name(codec);
    const Outcome pulled = Step(Job(CODEC_NONE, codec, 2), gradients);
    const size_t row_bytes = codec == INT8 ? kDim + sizeof(float) : kDim * sizeof(uint16_t);
    EXPECT_NEAR(static_cast<double>(one.pushed), static_cast<double>(kKeys * row_bytes), 20) << Codec_Name(codec);
    EXPECT_LT(one.shared, 100u) << "what is coded goes through the network";
    size_t coded = 0, coded_pulls = 0;
    for (size_t row = 0; row < kKeys; ++row) {
      const float most = 0.009f * std::pow(10.0f, -static_cast<float>(row % 4));
      for (size_t i = row * kDim; i < (row + 1) * kDim; ++i) {
        ASSERT_NEAR(one.rows[i], -gradients[i], most) << Codec_Name(codec) << " " << i;
        ASSERT_NEAR(pulled.rows[i], -gradients[i], most) << Codec_Name(codec) << " " << i;
        coded += one.rows[i] != -gradients[i];
        coded_pulls += pulled.rows[i] != -gradients[i];
      }
    }
    EXPECT_GT(coded, kKeys * kDim / 2);
    EXPECT_GT(coded_pulls, kKeys * kDim / 2);
  }
}

TEST(CodedRowsTest, ATableMayHaveItsOwn) {
  const std::vector<float> gradients = Gradients();
  JobManifest job = Job(TOPK, CODEC_NONE, 1);
  const Outcome plain = Step(job, gradients);
  for (size_t i = 0; i < gradients.size(); ++i) ASSERT_EQ(plain.rows[i], -gradients[i]) << "rows have no topk";
  TensorCodec* const own = job.add_tensor_codecs();
  own->set_tensor("items");
  own->set_push(INT8);
  EXPECT_LT(Step(job, gradients).pushed, plain.pushed / 3 + 100);
}

}  // namespace
}  // namespace syncline
