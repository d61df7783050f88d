// Checkpoints that go on from earlier ones, through the daemons: what did not change is linked, over a change of the
// shards too, and what comes back is what was there.

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "common/io/posix_file_system.h"
#include "common/rpc/call.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/durability/checkpoint_reader.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/one_weight.h"
#include "worker/client/client.h"

namespace syncline {
namespace {

constexpr size_t kDim = 4;
constexpr uint64_t kRows = 20000;
// Indices of tables; a row of the second is stored at the second push of its key.
constexpr size_t kLarge = 0, kCounted = 1;

JobManifest Job() {
  JobManifest job = SmallJob(1, 1, 1000);
  job.set_sync_mode(ASYNC);
  job.set_shards(2);
  job.mutable_optimizer()->Clear();
  job.mutable_optimizer()->set_kind(SGD);
  for (const char* name : {"large", "counted"}) {
    Table* const table = job.add_tables();
    table->set_name(name);
    table->set_dim(kDim);
    table->set_slots(8);
    table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
    table->mutable_optimizer()->set_learning_rate(1);
  }
  job.mutable_tables(kCounted)->mutable_admission()->set_min_count(2);
  return job;
}

std::vector<uint64_t> Keys(uint64_t begin, uint64_t end) {
  std::vector<uint64_t> keys;
  for (uint64_t key = begin; key < end; ++key) keys.push_back(key);
  return keys;
}

class Rows {
 public:
  explicit Rows(const InProcessCluster& cluster) {
    client_ = ConnectWithOneWeight(cluster, 100);
  }

  // A gradient of 1 for each key.
  void Push(size_t table, const std::vector<uint64_t>& keys) {
    const std::vector<float> ones(keys.size() * kDim, 1);
    Wait([&](auto done) { client_->PushRows(clock_, {{table, keys, ones.data()}}, done); });
    Wait([&](auto done) {
      client_->Commit(clock_, 1, {0}, [done](auto accepted) { done(accepted.status()); });
    });
    ++clock_;
  }
  std::vector<float> Read(size_t table, const std::vector<uint64_t>& keys) {
    std::vector<float> rows(keys.size() * kDim);
    Wait([&](auto done) { client_->ObserveRows({{table, keys, rows.data()}}, done); });
    return rows;
  }

 private:
  template <typename Begin>
  static void Wait(const Begin& begin) {
    absl::Notification done;
    begin([&](const absl::Status& status) {
      SYNCLINE_EXPECT_OK(status);
      done.Notify();
    });
    done.WaitForNotification();
  }

  std::unique_ptr<Client> client_;
  Clock clock_ = 0;
};

CheckpointReply Checkpoint(InProcessCluster* cluster) {
  const auto reply =
      Call<CheckpointReply>(cluster->stub(), &Coordinator::Stub::Checkpoint, CheckpointRequest(), absl::Seconds(30));
  EXPECT_THAT(reply, IsOk());
  return reply.ok() ? *reply : CheckpointReply();
}

TEST(IncrementalCheckpointTest, WritesWhatChangedAndBringsBackAll) {
  JobManifest job = Job();
  std::vector<float> rows, counted;
  {
    InProcessCluster cluster(job);
    job.mutable_checkpoint()->set_directory(cluster.job().checkpoint().directory());
    Rows worker(cluster);
    worker.Push(kLarge, Keys(0, kRows));
    const CheckpointReply first = Checkpoint(&cluster);
    EXPECT_EQ(first.linked_bytes(), 0u);
    worker.Push(kLarge, Keys(100, 300));
    const CheckpointReply second = Checkpoint(&cluster);
    EXPECT_LT(second.written_bytes(), first.written_bytes() / 20);
    EXPECT_EQ(cluster.Status().checkpoint_linked_bytes(), second.linked_bytes());
    EXPECT_GT(second.linked_bytes(), first.written_bytes() / 2);

    cluster.StartShard();
    SYNCLINE_ASSERT_OK(cluster.WaitForShards(3));
    worker.Push(kLarge, Keys(kRows, kRows + 50));
    worker.Push(kCounted, {7});
    const CheckpointReply third = Checkpoint(&cluster);
    EXPECT_GT(third.linked_bytes(), 0u);
    for (const CheckpointReply& one : {first, second, third}) {
      EXPECT_THAT(VerifyCheckpoint(PosixFileSystem(), one.directory()), IsOk());
    }
    rows = worker.Read(kLarge, Keys(0, kRows + 100));
    counted = worker.Read(kCounted, {7});
  }
  const auto exported = CheckpointWeights(job.checkpoint().directory());
  SYNCLINE_ASSERT_OK(exported.status());
  EXPECT_EQ(exported->at("large.rows").size(), (kRows + 50) * kDim);
  EXPECT_EQ(exported->at("large.keys").size(), 2 * (kRows + 50));

  job.set_shards(1);
  InProcessCluster cluster(job, "latest");
  Rows worker(cluster);
  EXPECT_EQ(worker.Read(kLarge, Keys(0, kRows + 100)), rows);
  worker.Push(kCounted, {7});
  for (float& weight : counted) weight -= 1;
  EXPECT_EQ(worker.Read(kCounted, {7}), counted) << "the first of two pushes was in the checkpoint";
}

}  // namespace
}  // namespace syncline
