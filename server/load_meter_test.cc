#include "server/load_meter.h"

#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(LoadMeterTest, TellsWhatWasDoneSinceTheLastTime) {
  LoadMeter meter;
  EXPECT_EQ(meter.Next({{0, true, 100, 7}, {3, true, 50, 9}}, 2).bytes(), 150u);
  const ShardLoad load = meter.Next({{0, true, 110, 7}, {1, false, 40, 1}, {3, true, 80, 10}, {4, true, 0, 1}}, 0.5);
  EXPECT_EQ(load.seconds(), 0.5);
  EXPECT_EQ(load.bytes(), 80u);
  EXPECT_EQ(load.copy_bytes(), 40u);
  ASSERT_EQ(load.hottest_size(), 2) << "copies are not its own, and what nobody asked for is not hot";
  EXPECT_EQ(load.hottest(0).chunk(), 3u);
  EXPECT_EQ(load.hottest(0).bytes(), 30u);
  EXPECT_EQ(load.hottest(0).held_bytes(), 10u);
  EXPECT_EQ(load.hottest(1).chunk(), 0u);
}

TEST(LoadMeterTest, NamesTheHottestOnly) {
  std::vector<ChunkWork> work;
  for (uint32_t chunk = 0; chunk < 1000; ++chunk) work.push_back({chunk, true, chunk % 500, 1});
  const ShardLoad load = LoadMeter().Next(work, 1);
  ASSERT_EQ(load.hottest_size(), LoadMeter::kHottest);
  EXPECT_EQ(load.hottest(0).chunk(), 499u);
  EXPECT_EQ(load.hottest(1).chunk(), 999u);
  EXPECT_EQ(load.hottest(63).bytes(), 468u);
}

TEST(LoadMeterTest, AShardThatBeginsAnewCountsFromNothing) {
  LoadMeter meter;
  meter.Next({{0, true, 100, 1}}, 1);
  EXPECT_EQ(meter.Next({{0, true, 30, 1}}, 1).bytes(), 30u);
}

}  // namespace
}  // namespace syncline
