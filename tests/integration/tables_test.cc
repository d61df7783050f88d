// Rows of tables through the client: what each policy promises for chunks holds for them.

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_matchers.h"
#include "common/table/packed_keys.h"
#include "common/table/row_hash.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "proto/parameter_server.grpc.pb.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"
#include "worker/client/await.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::Each;
using testing::HasSubstr;

constexpr size_t kDim = 4;

JobManifest TableJob(SyncMode mode, uint32_t shards) {
  JobManifest job = LedJob(mode, shards);
  for (const char* name : {"users", "items"}) AddTable(name, kDim, 8, &job);
  return job;
}

// A step with a gradient of 1 for 300 of the first table's rows; 400 rows then.
Rows Step(TableWorker* worker) {
  worker->Step(0, ScatteredKeys(300), 1);
  return worker->Pull(0, ScatteredKeys(400));
}

class TablesByMode : public testing::TestWithParam<SyncMode> {};

TEST_P(TablesByMode, RowsBeginAlikeOnAnyNumberOfShardsAndMoveByTheirGradients) {
  Rows first;
  for (const uint32_t shards : {1, 3}) {
    InProcessCluster cluster(TableJob(GetParam(), shards));
    TableWorker worker(cluster);
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const Rows begin, worker.Pull(0, 0, ScatteredKeys(100)));
    if (first.empty()) first = begin;
    EXPECT_EQ(begin, first);
    EXPECT_THAT(begin, Each(testing::AllOf(testing::Ge(-0.25f), testing::Lt(0.25f))));
    EXPECT_NE(worker.Observe(1, ScatteredKeys(100)), begin) << "the other table's are others";

    SYNCLINE_ASSERT_OK(worker.Push(0, 0, ScatteredKeys(50), 2));
    SYNCLINE_ASSERT_OK(worker.Commit(0, 1, {0}));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const Rows after, worker.Pull(1, 0, ScatteredKeys(100)));
    for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], begin[i] - (i < 50 * kDim ? 2 : 0));
    EXPECT_EQ(worker.Observe(0, ScatteredKeys(100)), after);
  }
}

TEST_P(TablesByMode, AnIncarnationsPushCountsOnceAClock) {
  InProcessCluster cluster(TableJob(GetParam(), 2));
  TableWorker worker(cluster);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Rows begin, worker.Pull(0, 0, ScatteredKeys(9)));
  for (int again = 0; again < 3; ++again) SYNCLINE_ASSERT_OK(worker.Push(0, 0, ScatteredKeys(9), 1));
  SYNCLINE_ASSERT_OK(worker.Commit(0, 1, {0}));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Rows after, worker.Pull(1, 0, ScatteredKeys(9)));
  for (size_t i = 0; i < after.size(); ++i) EXPECT_EQ(after[i], begin[i] - 1);
}

INSTANTIATE_TEST_SUITE_P(Modes, TablesByMode, testing::Values(SYNC, BOUNDED, ASYNC),
                         [](const auto& info) { return SyncMode_Name(info.param); });

TEST(TablesTest, SyncTakesTheMeanOverWorkersBySamples) {
  JobManifest job = TableJob(SYNC, 2);
  job.set_workers(2);
  InProcessCluster cluster(job);
  TableWorker a(cluster), b(cluster);
  const Rows begin = a.Observe(0, {1, 2, 3});
  SYNCLINE_ASSERT_OK(a.Push(0, 0, {1, 2}, 4));
  SYNCLINE_ASSERT_OK(b.Push(0, 0, {3, 2}, 8));
  SYNCLINE_ASSERT_OK(a.Commit(0, 3, {0, 1}));
  EXPECT_EQ(a.Observe(0, {1, 2, 3}), begin) << "not before all have committed";
  SYNCLINE_ASSERT_OK(b.Commit(0, 1, {0, 1}));
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Rows after, b.Pull(1, 0, {1, 2, 3}));
  const float moved[] = {3, 5, 2};
  for (size_t i = 0; i < after.size(); ++i) EXPECT_FLOAT_EQ(after[i], begin[i] - moved[i / kDim]);
}

// In sync a shard must know of every slot that there is nothing for it.
TEST(TablesTest, ACommitWithoutThePushOfATableIsRefused) {
  InProcessCluster cluster(TableJob(SYNC, 1));
  TableWorker worker(cluster);
  const float zero = 0;
  SYNCLINE_EXPECT_OK(Await<absl::Status>([&](auto done) { worker.client().Push(0, {{0, &zero}}, done); }));
  EXPECT_THAT(worker.Commit(0, 1, {0}), StatusIs(StatusCode::kFailedPrecondition, HasSubstr("not pushed chunk")));
  SYNCLINE_EXPECT_OK(Await<absl::Status>([&](auto done) { worker.client().PushRows(0, {}, done); }));
  SYNCLINE_EXPECT_OK(worker.Commit(0, 1, {0}));
}

// Steps until there is a checkpoint. The rows after each, and the checkpoint's step.
std::pair<std::vector<Rows>, uint64_t> StepToACheckpoint(const JobManifest& job) {
  InProcessCluster cluster(job);
  TableWorker worker(cluster);
  std::vector<Rows> rows = {worker.Observe(0, ScatteredKeys(400))};
  std::string checkpoint;
  while (checkpoint.empty()) {
    rows.push_back(Step(&worker));
    absl::SleepFor(absl::Milliseconds(20));
    checkpoint = cluster.Status().last_checkpoint();
  }
  uint64_t step = 0;
  EXPECT_TRUE(absl::SimpleAtoi(checkpoint.substr(checkpoint.rfind('-') + 1), &step)) << checkpoint;
  rows.push_back(Step(&worker));
  return {rows, step};
}

TEST(TablesTest, CheckpointsHoldRowsAndTheirStateForAnyNumberOfShards) {
  JobManifest job = TableJob(SYNC, 2);
  job.mutable_tables(0)->mutable_optimizer()->set_kind(ROW_OPTIMIZER_ADAGRAD);
  job.mutable_checkpoint()->set_interval_steps(1);
  const auto [rows, at] = StepToACheckpoint(job);
  job.set_shards(3);
  InProcessCluster cluster(job, "latest");
  TableWorker worker(cluster);
  EXPECT_EQ(worker.Observe(0, ScatteredKeys(400)), rows[at]);
  EXPECT_EQ(Step(&worker), rows[at + 1]);
  EXPECT_NE(rows[at + 1], rows[at]);
}

TEST(TablesTest, ExportsHoldKeysAndRows) {
  JobManifest job = TableJob(SYNC, 2);
  job.mutable_tables(0)->set_storage(ROW_STORAGE_FP16);
  job.mutable_checkpoint()->set_interval_steps(1);
  const auto [rows, at] = StepToACheckpoint(job);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Weights exported, CheckpointWeights(job.checkpoint().directory()));
  std::vector<uint64_t> keys(exported.at("users.keys").size() / 2);
  std::memcpy(keys.data(), exported.at("users.keys").data(), keys.size() * sizeof(uint64_t));
  EXPECT_EQ(keys.size(), 300u);
  std::map<uint64_t, size_t> places;
  for (size_t i = 0; i < keys.size(); ++i) places[keys[i]] = i;
  const std::vector<uint64_t> asked = ScatteredKeys(300);
  for (size_t i = 0; i < asked.size(); ++i) {
    for (size_t d = 0; d < kDim; ++d) {
      ASSERT_EQ(exported.at("users.rows")[places.at(asked[i]) * kDim + d], rows[at][i * kDim + d]);
    }
  }
  EXPECT_TRUE(exported.at("items.keys").empty());
  EXPECT_EQ(exported.at("weight").size(), 1u);
}

// 300 samples of two categories and a number.
JobManifest TrainingJob(uint32_t shards) {
  std::string lines;
  for (int i = 0; i < 300; ++i) absl::StrAppend(&lines, i % 7, ",a", i % 13, ",b", i % 5, ",", 0.01 * i, "\n");
  JobManifest job = RowsJob(lines, "label, a=category, b=category, float", kDim, 9);
  job.set_shards(shards);
  return job;
}

TEST(TablesTest, TrainsToTheSameBitsOnAnyNumberOfShards) {
  const Weights one = TrainedWeights(TrainingJob(1));
  EXPECT_EQ(one.at("rows.rows").size(), 18 * kDim);
  EXPECT_EQ(TrainedWeights(TrainingJob(3)), one);
  JobManifest with_copies = TrainingJob(2);
  with_copies.set_replicas(2);
  EXPECT_EQ(TrainedWeights(with_copies), one);
}

TEST(TablesTest, RestoringWithAnotherTableSaysWhatDiffers) {
  JobManifest job = TableJob(SYNC, 1);
  job.mutable_checkpoint()->set_interval_steps(1);
  StepToACheckpoint(job);
  job.mutable_tables(1)->set_dim(5);
  InProcessCluster cluster(job, "latest");
  ClientOptions options;
  options.coordinator = cluster.coordinator();
  const auto client = *Client::Connect(options);
  TensorSpec weight;
  weight.set_name("weight");
  weight.add_shape(1);
  EXPECT_THAT(client->CreateTensors({weight}),
              StatusIs(StatusCode::kFailedPrecondition, HasSubstr("table items: dim is 5, and was 4")));
}

// What another client might send.
TEST(TablesTest, ChecksKeys) {
  InProcessCluster cluster(TableJob(ASYNC, 1));
  TableWorker worker(cluster);
  const auto stub = ParameterServer::NewStub(*MakeChannel(cluster.shard(0), {}));
  PullRequest pull;
  *pull.mutable_sender() = SenderOf(worker.client());
  const auto pulled = [&] {
    return Call<PullReply>(*stub, &ParameterServer::Stub::Pull, pull, absl::Seconds(10)).status();
  };
  pull.add_chunks(1);  // slot 0 of users
  EXPECT_THAT(pulled(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("pull slots with keys")));
  pull.add_keys("\x08" "1234");
  EXPECT_THAT(pulled(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("no whole keys of 8 bytes")));
  uint64_t key = 0;
  while (SlotOfKey(key, 8) == 0) ++key;
  const std::string elsewhere = PackKeys({&key, 1}, 0, 8);
  pull.set_keys(0, elsewhere);
  EXPECT_THAT(pulled(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("belongs to slot")));
  pull.set_chunks(0, 0);
  EXPECT_THAT(pulled(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("is not a slot of a table")));
  pull.add_keys("");
  EXPECT_THAT(pulled(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("2 for 1 chunks")));

  PushRequest push;
  *push.mutable_header()->mutable_sender() = SenderOf(worker.client());
  ChunkData* const chunk = push.add_chunks();
  const auto pushed = [&] {
    return Call<PushReply>(*stub, &ParameterServer::Stub::Push, push, absl::Seconds(10)).status();
  };
  chunk->set_chunk(1);
  chunk->set_keys(elsewhere);
  chunk->set_data(std::string(kDim * 4, '\0'));
  EXPECT_THAT(pushed(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("belongs to slot")));
  key = 0;
  while (SlotOfKey(key, 8) != 0) ++key;
  chunk->set_keys(PackKeys({&key, 1}, 0, 8));
  chunk->set_data(std::string(kDim * 4 + 4, '\0'));
  EXPECT_THAT(pushed(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("has 16 bytes, the push 20")));
  chunk->set_codec(TOPK);
  EXPECT_THAT(pushed(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("nothing else")));
  chunk->clear_codec();
  chunk->set_data(std::string(kDim * 4, '\xff'));
  EXPECT_THAT(pushed(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("users holds NaN")));
  chunk->set_data(std::string(kDim * 4, '\0'));
  SYNCLINE_EXPECT_OK(pushed());

  EXPECT_THAT(worker.Pull(0, 2, {1}).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("no table 2")));
}

}  // namespace
}  // namespace syncline
