#include "common/table/slot_order.h"

#include <atomic>
#include <vector>

#include "common/table/row_hash.h"
#include "common/threads/thread_pool.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

std::vector<uint32_t> PlacesOf(const std::vector<uint64_t>& keys, uint32_t slots, const ParallelFor& spread) {
  const SlotOrder order(keys, slots, spread);
  EXPECT_EQ(order.begin(slots), keys.size());
  std::vector<uint32_t> places(keys.size());
  order.Arrange(spread, [&](size_t i, uint32_t to) {
    places[i] = to;
    EXPECT_GE(to, order.begin(SlotOfKey(keys[i], slots)));
    EXPECT_LT(to, order.begin(SlotOfKey(keys[i], slots) + 1));
  });
  return places;
}

// More keys than one thread takes.
TEST(SlotOrderTest, ThreadsPutKeysWhereOneWould) {
  ThreadPool pool(2);
  std::atomic<int> spread{0};
  const ParallelFor threads = [&](size_t count, const auto& body) {
    ++spread;
    pool.For(count, body);
  };
  std::vector<uint64_t> keys(600000);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = i * i;
  for (const uint32_t slots : {1u, 256u}) {
    const std::vector<uint32_t> places = PlacesOf(keys, slots, threads);
    EXPECT_EQ(places, PlacesOf(keys, slots, nullptr));
    std::vector<bool> seen(keys.size());
    for (const uint32_t place : places) {
      ASSERT_FALSE(seen[place]);
      seen[place] = true;
    }
  }
  EXPECT_EQ(spread, 4);
}

TEST(SlotOrderTest, KeysOfASlotStayInOrder) {
  EXPECT_EQ(PlacesOf({9, 7, 7, 1}, 1, nullptr), (std::vector<uint32_t>{0, 1, 2, 3}));
  EXPECT_TRUE(PlacesOf({}, 5, nullptr).empty());
}

}  // namespace
}  // namespace syncline
