// Checkpoints that go on from earlier ones, through the daemons: what did not change is linked, over a change of the
// shards too, and what comes back is what was there.

#include "common/io/posix_file_system.h"
#include "common/rpc/call.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/durability/checkpoint_reader.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"
#include "tests/integration/table_worker.h"

namespace syncline {
namespace {

constexpr size_t kDim = 4;
constexpr uint64_t kRows = 20000;
// Indices of tables; a row of the second is stored at the second push of its key.
constexpr size_t kLarge = 0, kCounted = 1;

JobManifest Job() {
  JobManifest job = LedJob(ASYNC, 2);
  for (const char* name : {"large", "counted"}) AddTable(name, kDim, 8, &job);
  job.mutable_tables(kCounted)->mutable_admission()->set_min_count(2);
  return job;
}

RowKeys Keys(uint64_t begin, uint64_t end) {
  RowKeys keys;
  for (uint64_t key = begin; key < end; ++key) keys.push_back(key);
  return keys;
}

CheckpointReply Checkpoint(InProcessCluster* cluster) {
  const auto reply =
      Call<CheckpointReply>(cluster->stub(), &Coordinator::Stub::Checkpoint, CheckpointRequest(), absl::Seconds(30));
  EXPECT_THAT(reply, IsOk());
  return reply.ok() ? *reply : CheckpointReply();
}

TEST(IncrementalCheckpointTest, WritesWhatChangedAndBringsBackAll) {
  JobManifest job = Job();
  Rows rows, counted;
  {
    InProcessCluster cluster(job);
    job.mutable_checkpoint()->set_directory(cluster.job().checkpoint().directory());
    TableWorker worker(cluster);
    worker.Step(kLarge, Keys(0, kRows), 1);
    const CheckpointReply first = Checkpoint(&cluster);
    EXPECT_EQ(first.linked_bytes(), 0u);
    worker.Step(kLarge, Keys(100, 300), 1);
    const CheckpointReply second = Checkpoint(&cluster);
    EXPECT_LT(second.written_bytes(), first.written_bytes() / 20);
    EXPECT_EQ(cluster.Status().checkpoint_linked_bytes(), second.linked_bytes());
    EXPECT_GT(second.linked_bytes(), first.written_bytes() / 2);

    cluster.StartShard();
    SYNCLINE_ASSERT_OK(cluster.WaitForShards(3));
    worker.Step(kLarge, Keys(kRows, kRows + 50), 1);
    worker.Step(kCounted, {7}, 1);
    const CheckpointReply third = Checkpoint(&cluster);
    EXPECT_GT(third.linked_bytes(), 0u);
    for (const CheckpointReply& one : {first, second, third}) {
      EXPECT_THAT(VerifyCheckpoint(PosixFileSystem(), one.directory()), IsOk());
    }
    rows = worker.Observe(kLarge, Keys(0, kRows + 100));
    counted = worker.Observe(kCounted, {7});
  }
  const auto exported = CheckpointWeights(job.checkpoint().directory());
  SYNCLINE_ASSERT_OK(exported.status());
  EXPECT_EQ(exported->at("large.rows").size(), (kRows + 50) * kDim);
  EXPECT_EQ(exported->at("large.keys").size(), 2 * (kRows + 50));

  job.set_shards(1);
  InProcessCluster cluster(job, "latest");
  TableWorker worker(cluster);
  EXPECT_EQ(worker.Observe(kLarge, Keys(0, kRows + 100)), rows);
  worker.Step(kCounted, {7}, 1);
  for (float& weight : counted) weight -= 1;
  EXPECT_EQ(worker.Observe(kCounted, {7}), counted) << "the first of two pushes was in the checkpoint";
}

}  // namespace
}  // namespace syncline
