#include "server/store/row_chunk.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "common/codec/codec.h"
#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/sgd.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/memory_cold_pages.h"

namespace syncline {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr size_t kDim = 2;

class RowChunkTest : public testing::Test {
 protected:
  RowChunk Make(const EvictionPolicy& eviction = {}) {
    return {RowFormat(kDim, StoredAs::kFloat32, rule_), &rule_, InitialRows(), AdmissionPolicy(), eviction,
            memory_, true, [this] { return now_; }};
  }
  // All pages but the last go to disk.
  void Spill(RowChunk* chunk) {
    for (RowPages::Leaving leaving = chunk->Leave(); !leaving.pages.empty(); leaving = chunk->Leave()) {
      std::vector<uint64_t> places(leaving.pages.size());
      SYNCLINE_ASSERT_OK(disk_->Write(leaving.bytes, chunk->page_bytes(), places.data()));
      chunk->Left(leaving, places);
    }
  }
  // Up to the next update at which rows are dropped.
  static void PushUntilEviction(RowChunk* chunk, const std::vector<uint64_t>& keys) {
    do {
      Push(chunk, keys, 1);
    } while (chunk->version() % RowChunk::kEvictionInterval != 0);
  }
  static void Push(RowChunk* chunk, const std::vector<uint64_t>& keys, float value, Codec codec = CODEC_NONE) {
    const std::vector<float> rows(keys.size() * kDim, value);
    std::vector<char> bytes(EncodedBytes(codec, rows.size()));
    EncodeFloats(codec, rows.data(), rows.size(), 1, bytes.data());
    const Fragments gradient = Fragments::Of(bytes.data(), bytes.size());
    const Fragments key_bytes = Fragments::Of(keys.data(), keys.size() * sizeof(uint64_t));
    UpdateSettings settings;
    settings.learning_rate = 1;
    chunk->Update({{&gradient, 1, codec, &key_bytes}}, settings);
  }
  static std::vector<float> Read(const RowChunk& chunk, const std::vector<uint64_t>& keys) {
    std::vector<float> rows(keys.size() * kDim);
    chunk.Read(keys, RowTarget{rows.data()});
    return rows;
  }

  double now_ = 1000;
  const std::shared_ptr<MemoryColdPages> disk_ = std::make_shared<MemoryColdPages>();
  std::vector<std::string> failed_;
  const std::shared_ptr<TableMemory> memory_ =
      std::make_shared<TableMemory>(0, disk_, [this](uint64_t times, const absl::Status& error) {
        failed_.push_back(std::to_string(times) + " " + std::string(error.message()));
      });
  const ElementwiseRows rule_{std::make_unique<Sgd>(0)};
};

TEST_F(RowChunkTest, TakesCodedGradients) {
  RowChunk chunk = Make();
  Push(&chunk, {5, 6}, 2);
  Push(&chunk, {6, 7}, 4, FP16);
  EXPECT_THAT(Read(chunk, {5, 6, 7, 8}), ElementsAre(-2, -2, -6, -6, -4, -4, 0, 0));
  EXPECT_EQ(chunk.version(), 2u);
  EXPECT_EQ(chunk.row_count(), 3u);
}

TEST_F(RowChunkTest, WhatContentGaveMakesAnotherOfIt) {
  RowChunk chunk = Make(), other = Make();
  Push(&chunk, {5, 6}, 2);
  const ChunkContent content = chunk.content();
  Push(&chunk, {5}, 1);
  ASSERT_TRUE(other.Restore(1, content).ok());
  EXPECT_THAT(Read(other, {5, 6}), Each(-2));
  EXPECT_EQ(other.version(), 1u);
  EXPECT_FALSE(other.Restore(2, {Fragments::Of("123", 3), {}}).ok());
  EXPECT_EQ(other.version(), 1u);
}

TEST_F(RowChunkTest, WhatWaitsForAdmissionTravels) {
  AdmissionPolicy twice;
  twice.min_count = 2;
  const auto make = [&](const AdmissionPolicy& admission) {
    return RowChunk(RowFormat(kDim, StoredAs::kFloat32, rule_), &rule_, InitialRows(), admission, {});
  };
  RowChunk chunk = make(twice), other = make(twice), at_once = make({});
  Push(&chunk, {5}, 2);
  ASSERT_TRUE(other.Restore(1, chunk.content()).ok());
  Push(&other, {5, 6}, 1);
  EXPECT_THAT(Read(other, {5, 6}), ElementsAre(-1, -1, 0, 0));
  EXPECT_EQ(chunk.row_count(), 0u);
  ASSERT_TRUE(at_once.Restore(1, chunk.content()).ok()) << "another policy begins anew";
}

TEST_F(RowChunkTest, DropsOldRowsEverySoOften) {
  EvictionPolicy eviction;
  eviction.max_age = 10;
  RowChunk chunk = Make(eviction);
  Push(&chunk, {1, 2}, 1);
  for (uint64_t i = 2; i < RowChunk::kEvictionInterval; ++i) Push(&chunk, {2}, 1);
  EXPECT_EQ(chunk.row_count(), 2u);
  Push(&chunk, {2}, 1);
  EXPECT_EQ(chunk.row_count(), 1u);
  EXPECT_THAT(Read(chunk, {1}), Each(0));
  EXPECT_EQ(chunk.counters().erased, 1u);
  EXPECT_EQ(chunk.content().erased->Since(RowChunk::kEvictionInterval - 1), std::vector<uint64_t>({1}));
}

EvictionPolicy AnHour() {
  EvictionPolicy policy;
  policy.max_age_seconds = 3600;
  return policy;
}

TEST_F(RowChunkTest, ForgetsRowsThatNobodyPushedForTooLong) {
  RowChunk chunk = Make(AnHour());
  Push(&chunk, {5, 6, 7}, 1);
  now_ += 1800;
  PushUntilEviction(&chunk, {6});
  now_ += 1799;
  PushUntilEviction(&chunk, {7});
  EXPECT_EQ(chunk.row_count(), 3u);
  now_ += 1;
  PushUntilEviction(&chunk, {7});
  EXPECT_EQ(chunk.row_count(), 2u);
  EXPECT_THAT(Read(chunk, {5}), Each(0));
  EXPECT_EQ(chunk.counters().expired, 1u);
  EXPECT_EQ(chunk.counters().erased, 1u);
  now_ += 1800;
  PushUntilEviction(&chunk, {8});
  EXPECT_EQ(chunk.row_count(), 2u);
  EXPECT_THAT(Read(chunk, {6}), Each(0));
  EXPECT_EQ(chunk.counters().expired, 2u);
}

TEST_F(RowChunkTest, AgesGoOnWhereContentWasRestored) {
  RowChunk chunk = Make(AnHour()), other = Make(AnHour());
  Push(&chunk, {5}, 1);
  now_ += 3000;
  const ChunkContent content = chunk.content();
  // Another process, whose clock began at another time.
  now_ = 7;
  ASSERT_TRUE(other.Restore(chunk.version(), content).ok());
  now_ += 599;
  PushUntilEviction(&other, {6});
  EXPECT_EQ(other.row_count(), 2u);
  now_ += 1;
  PushUntilEviction(&other, {6});
  EXPECT_EQ(other.row_count(), 1u);
}

TEST_F(RowChunkTest, ACopyDropsWhatTheOwnerDroppedAndIsReadyToTakeItsPlace) {
  RowChunk owner = Make(AnHour()), copy = Make(AnHour());
  const auto follow = [&] {
    const auto change = owner.ChangedSince(copy.version());
    ASSERT_TRUE(change.has_value());
    ASSERT_TRUE(copy.Merge(owner.version(), *change).ok());
  };
  Push(&owner, {5}, 1);
  follow();
  now_ += 1800;
  Push(&owner, {6}, 1);
  follow();
  now_ += 1800;
  PushUntilEviction(&owner, {7});
  EXPECT_EQ(copy.row_count(), 2u);
  follow();
  EXPECT_EQ(copy.row_count(), 2u);
  EXPECT_THAT(Read(copy, {5}), Each(0));
  now_ += 1800;
  PushUntilEviction(&copy, {7});
  EXPECT_EQ(copy.row_count(), 1u);
  EXPECT_THAT(Read(copy, {6}), Each(0));
}

std::vector<uint64_t> KeysFrom(uint64_t first, size_t count) {
  std::vector<uint64_t> keys(count);
  std::iota(keys.begin(), keys.end(), first);
  return keys;
}

TEST_F(RowChunkTest, WhatCouldNotBeReadForItsNormIsLookedAtTheNextTime) {
  EvictionPolicy small;
  small.min_norm = 1;
  RowChunk chunk = Make(small);
  Push(&chunk, KeysFrom(0, 20000), 0.1f);
  Spill(&chunk);
  ASSERT_GT(chunk.counters().admitted, 0u);
  disk_->FailReads(absl::DataLossError("broken"));
  for (int times = 1; times <= 3; ++times) PushUntilEviction(&chunk, {100000});
  EXPECT_GT(chunk.row_count(), 20000u) << "an update goes on without";
  EXPECT_THAT(failed_, ElementsAre("1 broken", "2 broken", "3 broken"));
  EXPECT_EQ(memory_->failed_evictions, 3u);
  disk_->FailReads(absl::OkStatus());
  PushUntilEviction(&chunk, {100000});
  EXPECT_EQ(chunk.row_count(), 1u);
  EXPECT_EQ(failed_.size(), 3u);
  EXPECT_EQ(memory_->rows, 1);
}

TEST_F(RowChunkTest, WhatWentBeforeTheDiskFailedIsToldToCopies) {
  EvictionPolicy policy = AnHour();
  policy.max_age = 60;
  RowChunk chunk = Make(policy);
  const std::vector<uint64_t> first = KeysFrom(0, 1400), second = KeysFrom(5000, 20000);
  Push(&chunk, first, 1);
  now_ += 1800;
  Push(&chunk, second, 1);
  Spill(&chunk);
  while (chunk.version() % RowChunk::kEvictionInterval != RowChunk::kEvictionInterval - 1) Push(&chunk, {100000}, 1);
  now_ += 1800;
  disk_->FailOneRead(2, absl::DataLossError("broken"));
  Push(&chunk, {100000}, 1);
  EXPECT_THAT(failed_, ElementsAre("1 broken"));
  EXPECT_EQ(chunk.row_count(), second.size() + 1);
  EXPECT_EQ(chunk.counters().expired, first.size());
  const auto change = chunk.ChangedSince(chunk.version() - 1);
  ASSERT_TRUE(change.has_value());
  EXPECT_EQ(change->gone.size(), first.size() * sizeof(uint64_t));
  PushUntilEviction(&chunk, {100000});
  EXPECT_EQ(chunk.row_count(), 1u);
  EXPECT_EQ(chunk.counters().erased, first.size() + second.size());
}

TEST_F(RowChunkTest, WhoseTimeHasComeStaysUntilItCanBeRead) {
  RowChunk chunk = Make(AnHour());
  Push(&chunk, KeysFrom(0, 20000), 1);
  Spill(&chunk);
  now_ += 3600;
  disk_->FailOneRead(1, absl::DataLossError("broken"));
  PushUntilEviction(&chunk, {100000});
  EXPECT_EQ(chunk.row_count(), 20001u);
  EXPECT_THAT(failed_, ElementsAre("1 broken"));
  PushUntilEviction(&chunk, {100000});
  EXPECT_EQ(chunk.row_count(), 1u);
  EXPECT_EQ(chunk.counters().expired, 20000u);
}

TEST_F(RowChunkTest, ContentHasRowsInMemoryAndOnDisk) {
  RowChunk chunk = Make(), other = Make();
  Push(&chunk, KeysFrom(0, 20000), 2);
  Spill(&chunk);
  Push(&chunk, {100000}, 2);
  const ChunkContent content = chunk.content();
  ASSERT_NE(content.cold, nullptr);
  EXPECT_EQ(content.weights.size() + content.cold->size(), 20001 * chunk.row_bytes());
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const Fragments all, Load({content.weights, content.cold}));
  SYNCLINE_ASSERT_OK(other.Restore(chunk.version(), {all, {}}));
  EXPECT_THAT(Read(other, KeysFrom(0, 20000)), Each(-2));
}

}  // namespace
}  // namespace syncline
