// A slot whose rows leave memory and come back is, to whoever asks it, the slot whose rows stay.

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/optimizer/adagrad.h"
#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/exact_adam.h"
#include "common/status/status_macros.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/memory_cold_pages.h"
#include "server/store/row_chunk.h"
#include "server/store/row_eviction.h"
#include "server/store/row_slot.h"

namespace syncline {
namespace {

using testing::HasSubstr;

constexpr size_t kDim = 30;
constexpr uint64_t kKeys = 4000;

std::unique_ptr<const RowRule> MakeRule(bool exact) {
  if (exact) return std::make_unique<ExactAdam>(ExactAdam::Settings{});
  return std::make_unique<ElementwiseRows>(std::make_unique<Adagrad>(1e-10f, 0.1f, 0.0f));
}

InitialRows Uniform() {
  Initializer settings;
  settings.set_kind(Initializer::UNIFORM);
  settings.set_b(0.5f);
  return InitialRows(settings, 42, "table");
}

// Of rows that updates after this one touched.
std::string ChangedAfter(uint64_t version, const RowSlot& slot) {
  std::string changed;
  const auto some = [version](const RowPages::Notes& notes) {
    return static_cast<int32_t>(notes.newest - static_cast<uint32_t>(version)) > 0;
  };
  SYNCLINE_EXPECT_OK(slot.ForEachRow(some, [&](const char* row) {
    if (RowFormat::ChangedAfter(version, row)) changed.append(row, slot.format().stride());
  }));
  return changed;
}

std::string Sorted(const Fragments& rows, size_t stride) {
  std::string bytes(rows.size(), 0);
  if (!bytes.empty()) FloatReader(rows).Copy(rows.size(), bytes.data());
  std::set<std::string> sorted;
  for (size_t at = 0; at < bytes.size(); at += stride) sorted.insert(bytes.substr(at, stride));
  std::string all;
  for (const std::string& row : sorted) all += row;
  return all;
}

// An error, if they cannot be read, is what they are.
std::string Sorted(const StoredRows& rows, size_t stride) {
  const auto loaded = Load(rows);
  return loaded.ok() ? Sorted(*loaded, stride) : std::string(loaded.status().message());
}

// The slot that is tested, beside one that has all it needs.
class Slots {
 public:
  explicit Slots(bool exact = false) : rule_(MakeRule(exact)) {}

  std::vector<uint64_t> SomeKeys(size_t count) {
    std::set<uint64_t> keys;
    // Low ones more often.
    while (keys.size() < count) keys.insert(random_() % (1 + random_() % kKeys));
    return {keys.begin(), keys.end()};
  }
  absl::Status Update(const std::vector<uint64_t>& keys) {
    SYNCLINE_RETURN_IF_ERROR(slot_.Fetch(keys, {}).status());
    std::vector<float> values(keys.size() * kDim);
    for (float& value : values) value = static_cast<float>(random_() % 100) * 0.01f;
    const Fragments gradients = Fragments::Of(values.data(), values.size() * sizeof(float));
    UpdateSettings settings;
    settings.learning_rate = 0.1;
    slot_.Update({{keys, &gradients, 1}}, settings);
    plain_.Update({{keys, &gradients, 1}}, settings);
    return absl::OkStatus();
  }
  void Leave(size_t most = 1000) {
    const RowPages::Leaving leaving = slot_.Leave(most);
    Left(leaving);
  }
  void Left(const RowPages::Leaving& leaving) {
    std::vector<uint64_t> places(leaving.pages.size());
    const absl::Status written = store_->Write(leaving.bytes, slot_.page_bytes(), places.data());
    slot_.Left(leaving, written.ok() ? places : std::vector<uint64_t>());
  }
  void ExpectReads(const std::vector<uint64_t>& keys) {
    std::vector<float> read(keys.size() * kDim), expected(keys.size() * kDim);
    ColdReads cold;
    slot_.Read(keys, read.data(), &cold);
    if (!cold.empty()) {
      SYNCLINE_ASSERT_OK(cold.Run(store_.get()));
      SYNCLINE_ASSERT_OK(slot_.Fetch(keys, cold).status());
      ColdReads none;
      slot_.Read(keys, read.data(), &none);
    }
    plain_.Read(keys, expected.data());
    ASSERT_EQ(read, expected);
  }
  // And nothing of it from disk.
  void ExpectReadsInMemory(const std::vector<uint64_t>& keys) {
    const size_t reads = store_->counters().reads;
    ExpectReads(keys);
    EXPECT_EQ(store_->counters().reads, reads);
  }
  void ExpectSame() {
    ASSERT_EQ(slot_.rows(), plain_.rows());
    const size_t stride = slot_.format().stride();
    ASSERT_EQ(Sorted(slot_.Snapshot(), stride), Sorted(plain_.Snapshot(), stride));
    const uint64_t version = slot_.version() - std::min<uint64_t>(slot_.version(), 5);
    const std::string changed = ChangedAfter(version, slot_), expected = ChangedAfter(version, plain_);
    ASSERT_EQ(Sorted(Fragments::Of(changed.data(), changed.size()), stride),
              Sorted(Fragments::Of(expected.data(), expected.size()), stride));
  }

  const std::unique_ptr<const RowRule> rule_;
  const std::shared_ptr<MemoryColdPages> store_ = std::make_shared<MemoryColdPages>();
  const RowFormat format_{kDim, StoredAs::kFloat32, *rule_};
  RowSlot slot_{format_, rule_.get(), Uniform(), {}, store_};
  RowSlot plain_{format_, rule_.get(), Uniform()};
  std::mt19937_64 random_{5};
};

class RowsThatLeave : public testing::TestWithParam<bool> {};

TEST_P(RowsThatLeave, AreTheRowsThatWouldHaveStayed) {
  Slots slots(GetParam());
  std::vector<std::pair<StoredRows, std::string>> snapshots;
  const size_t stride = slots.format_.stride();
  size_t most_cold = 0;
  for (int round = 0; round < 400; ++round) {
    SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(1 + slots.random_() % 60)));
    if (round % 3 == 0) slots.Leave(1 + slots.random_() % 8);
    if (round % 5 == 0) slots.ExpectReads(slots.SomeKeys(50));
    if (round % 11 == 0) {
      const std::vector<uint64_t> keys = slots.SomeKeys(20);
      ASSERT_EQ(*slots.slot_.Erase(keys), *slots.plain_.Erase(keys));
    }
    if (round % 20 == 0) {
      slots.ExpectSame();
      snapshots.emplace_back(slots.slot_.Snapshot(), Sorted(slots.plain_.Snapshot(), stride));
    }
    if (snapshots.size() > 3) snapshots.erase(snapshots.begin());
    for (const auto& [rows, then] : snapshots) ASSERT_EQ(Sorted(rows, stride), then);
    most_cold = std::max(most_cold, slots.slot_.cold_rows());
  }
  EXPECT_GT(most_cold, slots.slot_.rows() / 2);
  std::vector<uint64_t> all;
  for (uint64_t key = 0; key < kKeys + 100; ++key) all.push_back(key);
  slots.ExpectReads(all);
  EXPECT_EQ(slots.slot_.cold_rows(), 0u);
  snapshots.clear();
  EXPECT_EQ(slots.store_->pages(), 0u) << "a place that nobody needs is free";
}

INSTANTIATE_TEST_SUITE_P(Rules, RowsThatLeave, testing::Bool(),
                         [](const auto& info) { return info.param ? "ExactAdam" : "Adagrad"; });

// Enough rows that the index grows while most of them are cold.
TEST(RowSlotColdTest, TheIndexGrowsWithoutReading) {
  Slots slots;
  std::vector<uint64_t> keys(2000);
  for (uint64_t begin = 0; begin < 60000; begin += keys.size()) {
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = begin + i;
    SYNCLINE_ASSERT_OK(slots.Update(keys));
    slots.Leave();
  }
  EXPECT_GT(slots.slot_.cold_rows(), 59000u);
  EXPECT_LT(slots.store_->counters().reads, 30u) << "only what could not be told by its mark";
  EXPECT_LT(slots.slot_.bytes(), slots.plain_.bytes() / 15);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i * 29;
  slots.ExpectReads(keys);
}

TEST(RowSlotColdTest, PagesThatAreWrittenToMeanwhileStay) {
  Slots slots;
  for (int i = 0; i < 50; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  const RowPages::Leaving leaving = slots.slot_.Leave(1000);
  ASSERT_GT(leaving.pages.size(), 2u);
  const StoredRows before = slots.slot_.Snapshot();
  for (int i = 0; i < 3; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(5)));
  const std::vector<uint64_t> some = slots.SomeKeys(30);
  ASSERT_EQ(*slots.slot_.Erase(some), *slots.plain_.Erase(some));
  slots.Left(leaving);
  slots.ExpectSame();
  std::vector<uint64_t> all;
  for (uint64_t key = 0; key < kKeys; ++key) all.push_back(key);
  slots.ExpectReads(all);
}

TEST(RowSlotColdTest, WhatWasTouchedLatelyStays) {
  Slots slots;
  std::vector<uint64_t> cold(3000), hot(30);
  for (size_t i = 0; i < cold.size(); ++i) cold[i] = i;
  for (size_t i = 0; i < hot.size(); ++i) hot[i] = i * 100;
  SYNCLINE_ASSERT_OK(slots.Update(cold));
  for (int i = 0; i < 4; ++i) SYNCLINE_ASSERT_OK(slots.Update(hot));
  slots.Leave();
  EXPECT_GT(slots.slot_.cold_rows(), 2800u);
  slots.ExpectReadsInMemory(hot);
}

TEST(RowSlotColdTest, WhatComesOftenStaysThoughOthersCameLater) {
  Slots slots;
  std::vector<uint64_t> all(3000), hot(30), late(1000);
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  for (size_t i = 0; i < hot.size(); ++i) hot[i] = i * 100;
  for (size_t i = 0; i < late.size(); ++i) late[i] = 3 * i + 1;
  SYNCLINE_ASSERT_OK(slots.Update(all));
  for (int i = 0; i < 10; ++i) SYNCLINE_ASSERT_OK(slots.Update(hot));
  SYNCLINE_ASSERT_OK(slots.Update(late));
  slots.Leave();
  EXPECT_GT(slots.slot_.cold_rows(), 2800u);
  slots.ExpectReadsInMemory(hot);
}

TEST(RowSlotColdTest, HalfEmptyPagesBecomeFullOnes) {
  Slots slots;
  std::vector<uint64_t> all(12800), most;
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  for (size_t i = 0; i < all.size(); ++i) {
    if (i % 3 != 0) most.push_back(i);
  }
  SYNCLINE_ASSERT_OK(slots.Update(all));
  slots.Leave();
  SYNCLINE_ASSERT_OK(slots.Update(most));
  for (int i = 0; i < 20; ++i) slots.Leave();
  EXPECT_GT(slots.slot_.cold_rows(), 12600u);
  // 128 rows a page.
  EXPECT_LT(slots.store_->pages(), 105u);
  slots.ExpectSame();
}

TEST(RowSlotColdTest, FailuresLoseNothing) {
  Slots slots;
  for (int i = 0; i < 50; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  slots.store_->FailWrites(absl::ResourceExhaustedError("full"));
  slots.Leave();
  EXPECT_EQ(slots.slot_.cold_rows(), 0u);
  slots.ExpectSame();
  slots.store_->FailWrites(absl::OkStatus());
  slots.Leave();
  slots.Leave();
  EXPECT_GT(slots.slot_.cold_rows(), 0u);

  slots.store_->FailReads(absl::DataLossError("broken"));
  const std::vector<uint64_t> keys = slots.SomeKeys(500);
  const uint64_t version = slots.slot_.version();
  EXPECT_THAT(slots.Update(keys), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("broken")));
  EXPECT_EQ(slots.slot_.version(), version);
  EXPECT_THAT(Load(slots.slot_.Snapshot()), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("broken")));
  slots.store_->FailReads(absl::OkStatus());
  slots.ExpectSame();
  SYNCLINE_EXPECT_OK(slots.Update(keys));
  slots.ExpectSame();
}

TEST(RowSlotColdTest, PlacesOfPagesThatLeaveASlotThatWasReplacedAreFreed) {
  Slots slots;
  for (int i = 0; i < 50; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  const RowPages::Leaving leaving = slots.slot_.Leave(1000);
  SYNCLINE_ASSERT_OK(slots.slot_.Restore(slots.plain_.version(), slots.plain_.Snapshot().memory));
  slots.Left(leaving);
  EXPECT_EQ(slots.slot_.cold_rows(), 0u);
  EXPECT_EQ(slots.store_->pages(), 0u);
  slots.ExpectSame();
}

TEST(RowSlotColdTest, RowsThatChangedAreMergedOverColdOnes) {
  Slots slots;
  for (int i = 0; i < 50; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  const uint64_t version = slots.slot_.version();
  RowSlot copy(slots.format_, slots.rule_.get(), Uniform(), {}, slots.store_);
  SYNCLINE_ASSERT_OK(copy.Restore(version, slots.plain_.Snapshot().memory));
  for (int i = 0; i < 3; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  const RowPages::Leaving leaving = copy.Leave(1000);
  std::vector<uint64_t> places(leaving.pages.size());
  SYNCLINE_ASSERT_OK(slots.store_->Write(leaving.bytes, copy.page_bytes(), places.data()));
  copy.Left(leaving, places);
  EXPECT_GT(copy.cold_rows(), 0u);
  const std::vector<uint64_t> gone = slots.SomeKeys(100);
  EXPECT_GT(*slots.plain_.Erase(gone), 0u);
  const std::string changed = ChangedAfter(version, slots.plain_);
  const auto merge = [&] {
    return copy.Merge(slots.plain_.version(), Fragments::Of(changed.data(), changed.size()), gone);
  };
  // Neither rows that changed nor keys of those that went can be read: nothing happens then.
  const size_t stride = slots.format_.stride();
  const std::string then = Sorted(copy.Snapshot(), stride);
  for (const uint64_t nth : {1, 2}) {
    slots.store_->FailOneRead(nth, absl::DataLossError("broken"));
    EXPECT_THAT(merge(), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("broken"))) << nth;
    EXPECT_EQ(Sorted(copy.Snapshot(), stride), then);
    EXPECT_EQ(copy.version(), version);
  }
  SYNCLINE_ASSERT_OK(merge());
  EXPECT_EQ(Sorted(copy.Snapshot(), stride), Sorted(slots.plain_.Snapshot(), stride));
}

TEST(RowSlotColdTest, ErasingIsAllOrNothingAndKeysMayRepeat) {
  Slots slots;
  for (int i = 0; i < 50; ++i) SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  slots.Leave();
  SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(40)));
  std::vector<uint64_t> keys = slots.SomeKeys(300);
  const std::vector<uint64_t> more = slots.SomeKeys(300);
  keys.insert(keys.end(), more.begin(), more.end());
  slots.store_->FailReads(absl::DataLossError("broken"));
  EXPECT_THAT(slots.slot_.Erase(keys), StatusIs(absl::StatusCode::kDataLoss, HasSubstr("broken")));
  slots.store_->FailReads(absl::OkStatus());
  slots.ExpectSame();
  ASSERT_EQ(*slots.slot_.Erase(keys), *slots.plain_.Erase(keys));
  slots.ExpectSame();
}

TEST(RowSlotColdTest, WhatIsKnownToBeThereIsErasedWithoutReading) {
  Slots slots;
  std::vector<uint64_t> keys(3000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i;
  SYNCLINE_ASSERT_OK(slots.Update(keys));
  slots.Leave();
  EXPECT_GT(slots.slot_.cold_rows(), 2800u);
  slots.store_->FailReads(absl::DataLossError("broken"));
  keys.resize(2500);
  EXPECT_THAT(slots.slot_.Erase(keys, true), IsOkAndHolds(keys.size()));
  slots.store_->FailReads(absl::OkStatus());
  SYNCLINE_ASSERT_OK(slots.plain_.Erase(keys).status());
  slots.ExpectSame();
}

class ColdEviction : public testing::TestWithParam<EvictionPolicy> {};

// As a chunk does it, every so many updates, with pages that leave in between.
TEST_P(ColdEviction, NamesTheSameRows) {
  constexpr uint64_t kInterval = RowChunk::kEvictionInterval;
  Slots slots;
  size_t erased = 0;
  for (uint64_t update = 1; update <= 6 * kInterval; ++update) {
    SYNCLINE_ASSERT_OK(slots.Update(slots.SomeKeys(30)));
    if (update % 10 == 0) slots.Leave();
    if (update % kInterval != 0) continue;
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto keys, RowsToEvict(slots.slot_, GetParam(), update - kInterval));
    EXPECT_THAT(RowsToEvict(slots.plain_, GetParam()), IsOkAndHolds(keys));
    ASSERT_EQ(*RowsUntouchedSince(slots.slot_, update - 100), *RowsUntouchedSince(slots.plain_, update - 100));
    SYNCLINE_ASSERT_OK_AND_ASSIGN(const size_t gone, slots.slot_.Erase(keys, true));
    erased += gone;
    SYNCLINE_ASSERT_OK(slots.plain_.Erase(keys).status());
    slots.ExpectSame();
  }
  EXPECT_GT(erased, 0u);
}

INSTANTIATE_TEST_SUITE_P(Policies, ColdEviction,
                         testing::Values(EvictionPolicy{100, 0, 0, {}}, EvictionPolicy{0, 1.2, 0, {}},
                                         EvictionPolicy{0, 0, 900, EvictionOrder::kOldest},
                                         EvictionPolicy{150, 1, 1200, EvictionOrder::kSmallest}));

}  // namespace
}  // namespace syncline
