#include "worker/client/slot_rows.h"

#include <cstdlib>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/table/row_hash.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr uint32_t kSlots = 7;
constexpr size_t kDim = 3;

std::vector<uint64_t> SomeKeys() {
  std::vector<uint64_t> keys;
  for (uint64_t i = 0; i < 100; ++i) keys.push_back(i * i * 1000003);
  return keys;
}

TEST(SlotRowsTest, WhatIsPushedGoesToItsSlotAndWhatIsPulledComesBack) {
  const std::vector<uint64_t> keys = SomeKeys();
  std::vector<float> rows(keys.size() * kDim), back(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i);
  const auto push = SlotRows::ToPush({kSlots, kDim}, keys, rows.data());
  const auto pull = SlotRows::ToPull({kSlots, kDim}, keys, back.data());
  size_t all = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    EXPECT_EQ(push->Keys(slot).size(), push->count(slot));
    for (const uint64_t key : push->Keys(slot)) EXPECT_EQ(SlotOfKey(key, kSlots), slot);
    all += push->count(slot);
    SYNCLINE_EXPECT_OK(pull->Scatter(slot, push->Gradients(slot)));
  }
  EXPECT_EQ(all, keys.size());
  EXPECT_EQ(back, rows);
}

// What a shard on this host is told.
TEST(SlotRowsTest, SaysWhereInItsMemoryAllLies) {
  const std::vector<uint64_t> keys = SomeKeys();
  std::vector<float> rows(keys.size() * kDim, 1), back(rows.size());
  std::shared_ptr<void> given;
  SlotRows::Options options{kSlots, kDim};
  options.allocate = [&given](size_t bytes) { return given = std::shared_ptr<void>(std::malloc(bytes), std::free); };
  const auto push = SlotRows::ToPush(options, keys, rows.data());
  EXPECT_EQ(push->memory().data(), given.get());
  EXPECT_EQ(push->memory().size(), keys.size() * (8 + 4 * kDim));
  EXPECT_EQ(push->memory().data() + push->gradients_at(3), push->Gradients(3).pieces()[0].data);
  const auto pull = SlotRows::ToPull(options, keys, back.data());
  EXPECT_EQ(pull->to(), back.data());
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const auto* const in_slot = reinterpret_cast<const uint64_t*>(pull->memory().data() + pull->keys_at(slot));
    const auto* const places = reinterpret_cast<const uint32_t*>(pull->memory().data() + pull->places_at(slot));
    for (size_t i = 0; i < pull->count(slot); ++i) EXPECT_EQ(keys[places[i]], in_slot[i]);
  }
}

TEST(SlotRowsTest, AnswersOfAnotherSizeAreRefused) {
  const std::vector<uint64_t> keys = {5};
  float to[kDim];
  const auto pull = SlotRows::ToPull({1, kDim}, keys, to);
  const float row[kDim] = {};
  EXPECT_EQ(pull->Scatter(0, Fragments::Of(row, sizeof(row) - 4)).code(), absl::StatusCode::kInternal);
  SYNCLINE_EXPECT_OK(pull->Scatter(0, Fragments::Of(row, sizeof(row))));
}

TEST(SlotRowsTest, FragmentsKeepTheRows) {
  const std::vector<uint64_t> keys = {5};
  const float row[1] = {2};
  Fragments gradients;
  {
    const auto push = SlotRows::ToPush({1, 1}, keys, row);
    gradients = push->Gradients(0);
  }
  float read;
  EXPECT_EQ(*FloatReader(gradients).Next(1, &read), 2);
}

}  // namespace
}  // namespace syncline
