// A table that is ten times as large as the memory of its shards trains to the bits it has without a limit: through
// pulls, pushes, checkpoints, copies, and a change of the shards.

#include <cstring>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/integration/in_process_cluster.h"
#include "tests/integration/table_job.h"

namespace syncline {
namespace {

constexpr uint64_t kMemory = 1 << 20;
constexpr int kSamples = 2600, kUsual = 50;
constexpr size_t kDim = 250;

// 5,250 keys, most of which come once an epoch. A row takes 2,016 bytes with what Adagrad keeps of it.
JobManifest LargeTable() {
  std::string lines;
  for (int i = 0; i < kSamples; ++i) {
    absl::StrAppend(&lines, i % 7, ",u", i, ",v", i % 17 * 1000 + i, ",w", i % kUsual, ",", 0.001 * i, "\n");
  }
  JobManifest job = RowsJob(lines, "label, a=category, b=category, c=category, float", kDim, 6);
  job.set_batch_size(64);
  return job;
}

RowMemory RowsOf(const ClusterStatusReply& status) {
  RowMemory sum;
  for (const ShardStatusReply& shard : status.shards()) {
    sum.set_rows(sum.rows() + shard.row_memory().rows());
    sum.set_cold_rows(sum.cold_rows() + shard.row_memory().cold_rows());
    sum.set_memory_bytes(sum.memory_bytes() + shard.row_memory().memory_bytes());
    sum.set_fetched(sum.fetched() + shard.row_memory().fetched());
  }
  return sum;
}

// A checkpoint's rows, which lie in no order, by their keys, and its other weights.
Weights Ordered(Weights weights) {
  const std::vector<float>& keys = weights.at("rows.keys");
  const std::vector<float>& rows = weights.at("rows.rows");
  std::map<uint64_t, std::vector<float>> by_key;
  for (size_t i = 0; i < keys.size() / 2; ++i) {
    uint64_t key;
    std::memcpy(&key, &keys[2 * i], sizeof(key));
    by_key[key].assign(&rows[i * kDim], &rows[i * kDim] + kDim);
  }
  std::vector<float> all;
  for (const auto& [key, row] : by_key) all.insert(all.end(), row.begin(), row.end());
  weights.at("rows.rows") = std::move(all);
  weights.erase("rows.keys");
  return weights;
}

// With `shards` at first and `later` before the end.
Weights TrainedInLittle(const JobManifest& job, uint32_t shards, uint32_t later) {
  InProcessCluster cluster(job, "", absl::Seconds(5), &PosixFileSystem(), false);
  for (uint32_t i = 0; i < shards; ++i) cluster.StartShard(kMemory);
  for (uint32_t i = 0; i < job.workers(); ++i) {
    cluster.StartWorker(later > shards ? absl::Milliseconds(10) : absl::ZeroDuration());
  }
  if (later > shards) {
    SYNCLINE_EXPECT_OK(cluster.WaitUntil([](const auto& status) { return RowsOf(status).cold_rows() > 1000; }));
    for (uint32_t i = shards; i < later; ++i) cluster.StartShard(kMemory);
    cluster.Scale(later);
    SYNCLINE_EXPECT_OK(cluster.WaitForShards(static_cast<int>(later)));
  }
  const RowMemory rows = RowsOf(cluster.Finish());
  const uint64_t copies = job.replicas() > 1 ? job.replicas() : 1;
  EXPECT_EQ(rows.rows(), copies * (2 * kSamples + kUsual));
  EXPECT_GT(rows.cold_rows(), rows.rows() / 2);
  EXPECT_GT(rows.fetched(), rows.rows() / 4);
  EXPECT_LT(rows.memory_bytes(), 2 * later * kMemory);
  const auto weights = CheckpointWeights(cluster.job().checkpoint().directory());
  SYNCLINE_EXPECT_OK(weights.status());
  return weights.ok() ? Ordered(*weights) : Weights();
}

TEST(ColdRowsTest, ATableTenTimesItsMemoryTrainsToTheSameBits) {
  const Weights free = Ordered(TrainedWeights(LargeTable()));
  ASSERT_EQ(free.at("rows.rows").size(), kDim * (2 * kSamples + kUsual));

  EXPECT_EQ(TrainedInLittle(LargeTable(), 1, 1), free);
  JobManifest with_copies = LargeTable();
  with_copies.set_shards(2);
  with_copies.set_replicas(2);
  EXPECT_EQ(TrainedInLittle(with_copies, 2, 2), free);
  EXPECT_EQ(TrainedInLittle(LargeTable(), 1, 2), free) << "with a shard that came while it trained";
}

}  // namespace
}  // namespace syncline
