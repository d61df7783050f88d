#include "server/coordinator/load_watch.h"

#include <memory>
#include <string>
#include <vector>

#include "common/status/status_matchers.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr double kBusy = 1 << 20;

// Two shards with four chunks each, of one tensor.
ShardMap Map() {
  TensorSpec tensor;
  tensor.set_name("a");
  tensor.add_shape(8 * 1024);
  const auto map = MakeShardMap({tensor}, {"a:1", "b:1"}, 4096, false);
  SYNCLINE_EXPECT_OK(map.status());
  return *map;
}

class LoadWatchTest : public testing::Test {
 protected:
  static LoadWatch::Options Options() {
    LoadWatch::Options options;
    options.interval = absl::Seconds(5);
    options.intervals = 3;
    return options;
  }
  static ShardLoad Load(const std::vector<std::pair<uint32_t, double>>& chunks, double rest = 0) {
    ShardLoad load;
    load.set_seconds(5);
    double bytes = rest;
    for (const auto& [chunk, rate] : chunks) {
      ShardLoad::Chunk* const hot = load.add_hottest();
      hot->set_chunk(chunk);
      hot->set_bytes(static_cast<uint64_t>(5 * rate));
      bytes += 5 * rate;
    }
    load.set_bytes(static_cast<uint64_t>(bytes));
    return load;
  }
  // An interval in which two chunks of the first shard are asked for that much, and one of the second.
  void Interval(double a, double b, double other) {
    watch_->Advance(map_, now_);
    watch_->Report("a:1", Load({{Of(0, 0), a}, {Of(0, 1), b}}));
    watch_->Report("b:1", Load({{Of(1, 0), other}}));
    now_ += absl::Seconds(5);
    watch_->Advance(map_, now_);
  }
  uint32_t Of(uint32_t shard, size_t index) const { return OwnedChunks(map_, shard)[index]; }
  std::vector<ShardMap> Plan() { return watch_->Plan(map_, {}, now_); }

  ShardMap map_ = Map();
  std::unique_ptr<LoadWatch> watch_ = std::make_unique<LoadWatch>(Options());
  absl::Time now_ = absl::UnixEpoch();
};

TEST_F(LoadWatchTest, MovesAfterThreeUnevenIntervalsInARow) {
  for (int i = 0; i < 2; ++i) {
    Interval(kBusy, kBusy, 0);
    EXPECT_TRUE(Plan().empty());
  }
  EXPECT_EQ(watch_->load("a:1"), 2 * kBusy);
  Interval(kBusy, kBusy, 2 * kBusy);
  for (int i = 0; i < 2; ++i) {
    Interval(kBusy, kBusy, 0);
    EXPECT_TRUE(Plan().empty()) << "one was even, so they count anew";
  }
  Interval(kBusy, kBusy, 0);
  const auto maps = Plan();
  ASSERT_EQ(maps.size(), 1u);
  EXPECT_EQ(maps[0].epoch(), map_.epoch() + 1);
  const int hot = static_cast<int>(Of(0, 0)), beside = static_cast<int>(Of(0, 1));
  EXPECT_NE(maps[0].owner(hot), maps[0].owner(beside));
  EXPECT_EQ(OwnedChunks(maps[0], 0).size(), 4u) << "a cold one came back";
  EXPECT_TRUE(Plan().empty()) << "after a plan they count anew too";
}

TEST_F(LoadWatchTest, AChangedMapCountsAnew) {
  for (int i = 0; i < 2; ++i) Interval(kBusy, kBusy, 0);
  map_.set_epoch(map_.epoch() + 1);
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(Plan().empty());
    Interval(kBusy, kBusy, 0);
  }
  EXPECT_FALSE(Plan().empty());
}

TEST_F(LoadWatchTest, LittleIsNeverUneven) {
  for (int i = 0; i < 9; ++i) Interval(1000, 1000, 0);
  EXPECT_TRUE(Plan().empty());
}

TEST_F(LoadWatchTest, AFifthMoreThanTheMeanIsEvenEnough) {
  for (int i = 0; i < 9; ++i) Interval(0.6 * kBusy, 0.6 * kBusy, 0.8 * kBusy);
  EXPECT_TRUE(Plan().empty());
}

TEST_F(LoadWatchTest, WithoutWordOfAShardNothingIsKnown) {
  for (int i = 0; i < 9; ++i) {
    watch_->Advance(map_, now_);
    watch_->Report("a:1", Load({{Of(0, 0), kBusy}, {Of(0, 1), kBusy}}));
    now_ += absl::Seconds(5);
  }
  watch_->Advance(map_, now_);
  EXPECT_TRUE(Plan().empty());
  EXPECT_EQ(watch_->load("a:1"), 0);
}

TEST_F(LoadWatchTest, WhatMovedMakesTheNextMoveWait) {
  LoadWatch::Options options = Options();
  options.bytes_a_minute = 8192;  // as much as an exchange
  watch_ = std::make_unique<LoadWatch>(options);
  for (int i = 0; i < 3; ++i) Interval(kBusy, kBusy, 0);
  EXPECT_FALSE(Plan().empty());
  for (int i = 0; i < 11; ++i) {
    Interval(kBusy, kBusy, 0);
    EXPECT_TRUE(Plan().empty()) << "within a minute";
  }
  Interval(kBusy, kBusy, 0);
  EXPECT_FALSE(Plan().empty());
}

// What is not among the hottest of a shard that is busy all over can move as well.
TEST_F(LoadWatchTest, TheRestOfTheLoadIsOfTheOtherChunks) {
  for (int i = 0; i < 3; ++i) {
    watch_->Advance(map_, now_);
    watch_->Report("a:1", Load({}, 20 * kBusy));
    watch_->Report("b:1", Load({}));
    now_ += absl::Seconds(5);
    watch_->Advance(map_, now_);
  }
  const auto maps = Plan();
  ASSERT_FALSE(maps.empty());
  int crossed = 0;
  for (const uint32_t chunk : OwnedChunks(map_, 0)) crossed += maps.back().owner(static_cast<int>(chunk)) == 1;
  EXPECT_EQ(crossed, 2);
}

}  // namespace
}  // namespace syncline
