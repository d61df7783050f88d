#include "worker/client/slot_rows.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "common/table/row_hash.h"
#include "common/status/status_matchers.h"
#include "common/tensor/keys.h"
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
  const auto push = SlotRows::ToPush(kSlots, kDim, keys, rows.data());
  const auto pull = SlotRows::ToPull(kSlots, kDim, keys, back.data());
  size_t all = 0;
  for (uint32_t slot = 0; slot < kSlots; ++slot) {
    const Fragments of_slot = push->Keys(slot);
    const Keys in_slot(of_slot);
    EXPECT_EQ(in_slot.size(), push->count(slot));
    for (const uint64_t key : in_slot.get()) EXPECT_EQ(SlotOfKey(key, kSlots), slot);
    all += push->count(slot);
    SYNCLINE_EXPECT_OK(pull->Scatter(slot, push->Gradients(slot)));
  }
  EXPECT_EQ(all, keys.size());
  EXPECT_EQ(back, rows);
}

TEST(SlotRowsTest, AnswersOfAnotherSizeAreRefused) {
  const std::vector<uint64_t> keys = {5};
  float to[kDim];
  const auto pull = SlotRows::ToPull(1, kDim, keys, to);
  const float row[kDim] = {};
  EXPECT_EQ(pull->Scatter(0, Fragments::Of(row, sizeof(row) - 4)).code(), absl::StatusCode::kInternal);
  SYNCLINE_EXPECT_OK(pull->Scatter(0, Fragments::Of(row, sizeof(row))));
}

TEST(SlotRowsTest, FragmentsKeepTheRows) {
  const std::vector<uint64_t> keys = {5};
  const float row[1] = {2};
  Fragments gradients;
  {
    const auto push = SlotRows::ToPush(1, 1, keys, row);
    gradients = push->Gradients(0);
  }
  float read;
  EXPECT_EQ(*FloatReader(gradients).Next(1, &read), 2);
}

}  // namespace
}  // namespace syncline
