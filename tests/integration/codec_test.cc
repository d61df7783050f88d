// Gradients and weights that travel in fewer bytes.

#include <cmath>
#include <string>

#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

JobManifest Job(Codec codec, uint32_t shards) {
  JobManifest job = SmallJob(40, 60, 100);
  job.set_workers(2);
  job.set_shards(shards);
  job.set_push_codec(codec);
  job.set_pull_codec(codec < TOPK ? codec : BF16);
  return job;
}

double Loss(const ClusterStatusReply& status) {
  double loss = 0, samples = 0;
  for (const auto& worker : status.workers()) {
    loss += worker.progress().loss_sum();
    samples += static_cast<double>(worker.progress().samples());
  }
  return loss / samples;
}

uint64_t PushedBytes(const InProcessCluster& cluster, int shards) {
  uint64_t bytes = 0;
  for (int shard = 0; shard < shards; ++shard) {
    const auto stub = ParameterServer::NewStub(*MakeChannel(cluster.shard(shard), {}));
    const auto status = Call<ShardStatusReply>(*stub, &ParameterServer::Stub::ShardStatus,
                                               ShardStatusRequest(), absl::Seconds(10));
    SYNCLINE_EXPECT_OK(status.status());
    if (!status.ok()) continue;
    EXPECT_EQ(status->shared_bytes(), 0u) << "coded tensors go through the network";
    bytes += status->pushed_bytes();
  }
  return bytes;
}

// Of the bytes without a codec.
double Share(Codec codec) {
  switch (codec) {
    case INT8:
      return 0.27;
    case TOPK:
      return 0.03;  // 6 bytes for one number in 64, and at least one of each block
    case ONEBIT:
      return 0.04;
    default:
      return 0.5;
  }
}

// Codecs change the numbers a little, and the run not at all: the same bits come out again, on one
// shard and on two, and the job learns as it does without.
class CodecTest : public testing::TestWithParam<Codec> {};

TEST_P(CodecTest, LearnsTheSameInFewerBytesOnAnyNumberOfShards) {
  double loss[2] = {}, plain_loss = 0;
  uint64_t bytes[2] = {}, plain_bytes = 0;
  for (const int shards : {1, 2}) {
    InProcessCluster cluster(Job(GetParam(), shards));
    cluster.StartWorkers();
    loss[shards - 1] = Loss(cluster.Finish());
    bytes[shards - 1] = PushedBytes(cluster, shards);
  }
  {
    JobManifest job = Job(CODEC_NONE, 1);
    job.set_shared_memory(false);
    InProcessCluster cluster(job);
    cluster.StartWorkers();
    plain_loss = Loss(cluster.Finish());
    plain_bytes = PushedBytes(cluster, 1);
  }
  EXPECT_EQ(loss[0], loss[1]);
  EXPECT_EQ(bytes[0], bytes[1]);
  EXPECT_NE(loss[0], plain_loss) << "nothing was coded";
  // What was left out comes later, so a short job learns less from the codecs that leave out most.
  EXPECT_NEAR(loss[0], plain_loss, (GetParam() < TOPK ? 0.05 : 0.8) * plain_loss);
  const double share = Share(GetParam());
  EXPECT_NEAR(static_cast<double>(bytes[0]), share * static_cast<double>(plain_bytes),
              0.02 * static_cast<double>(plain_bytes));
}

TEST(TensorCodecTest, OneTensorMayTravelInItsOwnWay) {
  JobManifest job = Job(CODEC_NONE, 1);
  job.set_shared_memory(false);
  TensorCodec* own = job.add_tensor_codecs();
  own->set_tensor("0.linear.weight");
  own->set_push(FP16);
  own->set_pull(BF16);
  InProcessCluster cluster(job);
  cluster.StartWorkers();
  cluster.Finish();
  const uint64_t some = PushedBytes(cluster, 1);
  job.clear_tensor_codecs();
  InProcessCluster plain(job);
  plain.StartWorkers();
  plain.Finish();
  // 40 x 60 of the 2521 numbers take half the room.
  EXPECT_NEAR(static_cast<double>(some) / static_cast<double>(PushedBytes(plain, 1)), 0.5, 0.03);
}

INSTANTIATE_TEST_SUITE_P(All, CodecTest, testing::Values(FP16, BF16, INT8, TOPK, ONEBIT),
                         [](const auto& info) { return Codec_Name(info.param); });

}  // namespace
}  // namespace syncline
