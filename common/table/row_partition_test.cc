#include "common/table/row_partition.h"

#include <algorithm>
#include <random>
#include <vector>

#include "common/table/row_hash.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(RowPartitionTest, EveryKeyIsInItsSlotInOrder) {
  std::mt19937_64 random(5);
  std::vector<uint64_t> keys(10000);
  for (uint64_t& key : keys) key = random() % 3000;
  for (const uint32_t slots : {1u, 7u, 256u, 65536u}) {
    const RowPartition partition(keys, slots);
    EXPECT_EQ(partition.slots(), slots);
    EXPECT_EQ(partition.begin(slots), keys.size());
    std::vector<bool> seen(keys.size());
    for (uint32_t slot = 0; slot < slots; ++slot) {
      const auto own = partition.keys(slot);
      const auto places = partition.places(slot);
      ASSERT_EQ(own.size(), places.size());
      ASSERT_TRUE(std::is_sorted(places.begin(), places.end()));
      for (size_t i = 0; i < own.size(); ++i) {
        ASSERT_EQ(own[i], keys[places[i]]);
        ASSERT_EQ(SlotOfKey(own[i], slots), slot);
        ASSERT_FALSE(seen[places[i]]);
        seen[places[i]] = true;
      }
    }
  }
}

TEST(RowPartitionTest, SlotsGetEqualShares) {
  // Keys in a row and keys far apart alike.
  for (const uint64_t step : {uint64_t{1}, uint64_t{1} << 40}) {
    std::vector<uint64_t> keys(256000);
    for (size_t i = 0; i < keys.size(); ++i) keys[i] = i * step;
    const RowPartition partition(keys, 256);
    for (uint32_t slot = 0; slot < 256; ++slot) {
      EXPECT_NEAR(static_cast<double>(partition.keys(slot).size()), 1000, 160) << "5 deviations";
    }
  }
}

TEST(RowHashTest, NeverChanges) {
  EXPECT_EQ(RowHash(0), 0xe220a8397b1dcdafu);
  EXPECT_EQ(SlotOfKey(0, 256), 0xe2u);
  EXPECT_EQ(SlotOfKey(0, 1), 0u);
}

TEST(RowPartitionTest, NoKeys) {
  const RowPartition partition({}, 4);
  EXPECT_TRUE(partition.keys().empty());
  EXPECT_TRUE(partition.keys(3).empty());
}

}  // namespace
}  // namespace syncline
