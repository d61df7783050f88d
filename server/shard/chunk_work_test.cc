// What a ChunkTable counts of its chunks and of the rows of its tables.

#include <memory>
#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"
#include "server/shard/chunk_table.h"

namespace syncline {
namespace {

constexpr uint32_t kDim = 2;

// A tensor of 3 floats, and a table of one slot that lets a key in when it is pushed for the second time. The shard keeps
// a copy of another tensor.
std::unique_ptr<ChunkTable> MakeTable() {
  ChunkTable::Options options;
  options.job.set_sync_mode(ASYNC);
  options.job.mutable_optimizer()->set_learning_rate(1);
  options.map.set_epoch(1);
  options.map.set_chunk_bytes(4096);
  options.map.set_replicas(2);
  for (const char* name : {"w", "other"}) {
    TensorSpec* const tensor = options.map.add_tensors();
    tensor->set_name(name);
    tensor->add_shape(3);
  }
  TensorSpec* const rows = options.map.add_tensors();
  rows->set_name("rows");
  Table* const table = rows->mutable_table();
  table->set_name("rows");
  table->set_dim(kDim);
  table->set_slots(1);
  table->set_storage(ROW_STORAGE_FP32);
  table->mutable_initializer()->set_kind(ROW_INITIALIZER_ZEROS);
  table->mutable_optimizer()->set_kind(ROW_OPTIMIZER_SGD);
  table->mutable_optimizer()->set_learning_rate(1);
  table->mutable_admission()->set_min_count(2);
  table->mutable_admission()->set_probability(1);
  *options.job.add_tables() = *table;
  for (const uint32_t owner : {0, 1, 0}) {
    options.map.add_owner(owner);
    options.map.add_backup(1 - owner);
  }
  for (const char* shard : {"a:1", "b:1"}) options.map.add_shards(shard);
  auto made = ChunkTable::Create(std::move(options));
  SYNCLINE_EXPECT_OK(made.status());
  return *std::move(made);
}

template <typename T>
Fragments Bytes(const std::vector<T>& values) {
  const auto kept = std::make_shared<std::vector<T>>(values);
  return Fragments::Of(reinterpret_cast<const char*>(kept->data()), kept->size() * sizeof(T), kept);
}

Sender Worker() {
  Sender sender;
  sender.set_incarnation(1);
  return sender;
}

void PushRows(ChunkTable* table, Clock clock, const std::vector<uint64_t>& keys) {
  const std::vector<float> gradients(keys.size() * kDim, 1.0f);
  SYNCLINE_EXPECT_OK(table->Apply(Worker(), clock, {2, 0, Bytes(gradients), CODEC_NONE, Bytes(keys)}, {}, 1));
}

TEST(ChunkWorkTest, CountsBytesTakenAndRead) {
  const auto table = MakeTable();
  EXPECT_TRUE(table->Work().empty());
  SYNCLINE_EXPECT_OK(table->Apply(Worker(), 0, {0, 0, Bytes<float>({1, 2, 3}), CODEC_NONE, {}}, {}, 1));
  SYNCLINE_EXPECT_OK(table->Read({0, 1}, {}).status());
  SYNCLINE_EXPECT_OK(table->Read({0}, {2}).status());  // it is held already
  PushRows(table.get(), 0, {5, 6});
  const Fragments keys = Bytes<uint64_t>({5, 6, 7});
  SYNCLINE_EXPECT_OK(table->ReadRows({2}, {keys}).status());
  const auto work = table->Work();
  ASSERT_EQ(work.size(), 3u);
  EXPECT_EQ(work[0].bytes, 24u);
  EXPECT_TRUE(work[0].owned);
  EXPECT_GE(work[0].held_bytes, 12u);
  EXPECT_EQ(work[1].bytes, 12u);
  EXPECT_FALSE(work[1].owned);
  EXPECT_EQ(work[2].bytes, 2 * (8 + 8) + 3 * 8u);
  ShardStatusReply status;
  table->FillStatus(&status);
  EXPECT_EQ(status.load_bytes(), 24u + 12 + 56);
}

TEST(ChunkWorkTest, CountsRows) {
  const auto table = MakeTable();
  PushRows(table.get(), 0, {5, 6});
  PushRows(table.get(), 1, {5, 6, 7});
  ShardStatusReply status;
  table->FillStatus(&status);
  ASSERT_EQ(status.tables_size(), 1);
  EXPECT_EQ(status.tables(0).name(), "rows");
  EXPECT_EQ(status.tables(0).rows(), 2u);
  EXPECT_EQ(status.tables(0).admitted(), 2u);
  EXPECT_EQ(status.tables(0).refused(), 3u);
  EXPECT_EQ(status.tables(0).evicted(), 0u);
  EXPECT_GT(status.tables(0).bytes(), 0u);
}

TEST(ChunkWorkTest, WhatWasCountedOfASlotOutlivesIt) {
  const auto table = MakeTable();
  PushRows(table.get(), 0, {5, 6});
  PushRows(table.get(), 1, {5, 6, 7});
  ASSERT_EQ(table->Leave({2}).size(), 1u);
  ShardMap without;
  for (const uint32_t owner : {0, 1, 1}) without.add_owner(owner);
  table->Release(without, 0);
  ShardStatusReply status;
  table->FillStatus(&status);
  ASSERT_EQ(status.tables_size(), 1);
  EXPECT_EQ(status.tables(0).rows(), 0u) << "another shard's by now";
  EXPECT_EQ(status.tables(0).admitted(), 2u);
  EXPECT_EQ(status.tables(0).refused(), 3u);
}

}  // namespace
}  // namespace syncline
