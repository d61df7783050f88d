#include "common/table/row_hash.h"

#include <algorithm>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// Keys as they are given out: one after the other, and in the upper bits only.
TEST(RowHashTest, KeysFallEvenlyWhateverTheyAre) {
  constexpr uint32_t kSlots = 100, kEach = 1000;
  for (const int shift : {0, 40}) {
    std::vector<uint32_t> counts(kSlots);
    for (uint64_t key = 0; key < kSlots * kEach; ++key) ++counts[SlotOfKey(key << shift, kSlots)];
    // Six standard deviations.
    EXPECT_GT(*std::min_element(counts.begin(), counts.end()), kEach - 190);
    EXPECT_LT(*std::max_element(counts.begin(), counts.end()), kEach + 190);
  }
}

TEST(RowHashTest, StayWhereTheyAre) {
  // In checkpoints and on wires: these may never change.
  EXPECT_EQ(SlotOfKey(0, 256), 226u);
  EXPECT_EQ(SlotOfKey(1, 256), 145u);
  EXPECT_EQ(SlotOfKey(~uint64_t{0}, 256), 228u);
}

}  // namespace
}  // namespace syncline
