// Rows of tables that travel in fewer bytes.

#include <cmath>
#include <vector>

#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"

namespace syncline {
namespace {

constexpr size_t kDim = 16, kKeys = 500;

JobManifest Job(Codec push, Codec pull, uint32_t shards) {
  JobManifest job = LedJob(SYNC, shards);
  job.set_push_codec(push);
  job.set_pull_codec(pull);
  AddTable("items", kDim, 8, &job)->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  return job;
}

struct Outcome {
  std::vector<float> rows;
  uint64_t pushed = 0, shared = 0;
};

// Some rows after one step, which took these from them.
Outcome Step(const JobManifest& job, const std::vector<float>& gradients) {
  InProcessCluster cluster(job);
  TableWorker worker(cluster);
  const RowKeys keys = ScatteredKeys(kKeys);
  worker.Step(0, keys, gradients);
  Outcome outcome;
  outcome.rows = worker.Pull(0, keys);
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
