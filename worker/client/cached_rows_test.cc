#include "worker/client/cached_rows.h"

#include <cmath>
#include <utility>
#include <vector>

#include "common/optimizer/row_rule_factory.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Keys = std::vector<uint64_t>;

// Rows of one float, with one of state if it is Adagrad.
class CachedRowsTest : public testing::Test {
 protected:
  static CachedRows Make(RowOptimizerKind kind = ROW_OPTIMIZER_SGD, size_t rows = 100) {
    RowOptimizer optimizer;
    optimizer.set_kind(kind);
    CachedRows::Options options;
    options.rows = rows;
    options.rule = *MakeRowRule(optimizer);
    options.learning_rate = 0.5f;
    return CachedRows(std::move(options));
  }
  static void Keep(CachedRows* cache, const Keys& keys, const std::vector<float>& rows, Clock until) {
    cache->Keep(cache->BeginPull(), keys, rows.data(), until);
  }
  static void Push(CachedRows* cache, const Keys& keys, const std::vector<float>& gradients, bool applied = true) {
    cache->BeginPush(keys, gradients.data());
    cache->EndPush(applied);
  }
  // The places that are missing.
  std::vector<uint32_t> Take(CachedRows* cache, Clock clock, const Keys& keys) {
    taken_.assign(keys.size(), -1);
    std::vector<uint32_t> missing;
    cache->Take(clock, keys, taken_.data(), &missing);
    return missing;
  }
  std::vector<float> taken_;
};

TEST_F(CachedRowsTest, RowsServeUntilTheyAreTooOld) {
  CachedRows cache = Make();
  EXPECT_THAT(Take(&cache, 0, {1, 2}), ElementsAre(0, 1));
  Keep(&cache, {1, 2}, {10, 20}, 5);
  Keep(&cache, {3}, {30}, 7);
  EXPECT_THAT(Take(&cache, 5, {3, 9, 2}), ElementsAre(1));
  EXPECT_THAT(taken_, ElementsAre(30, -1, 20));
  EXPECT_THAT(Take(&cache, 6, {3, 2}), ElementsAre(1));
  EXPECT_EQ(cache.counts().wanted, 7u);
  EXPECT_EQ(cache.counts().found, 3u);
}

TEST_F(CachedRowsTest, WhatTheWorkerPushesIsAppliedAsShardsDo) {
  CachedRows cache = Make(ROW_OPTIMIZER_ADAGRAD);
  ASSERT_EQ(cache.width(), 2u);
  Keep(&cache, {1}, {4, 9}, 5);  // the weight, and the sum of squares
  Push(&cache, {7, 1}, {100, 4});
  EXPECT_THAT(Take(&cache, 5, {1}), IsEmpty());
  EXPECT_FLOAT_EQ(taken_[0], 4 - 0.5f * 4 / std::sqrt(9.0f + 16));
  Push(&cache, {1}, {12});
  Take(&cache, 5, {1});
  EXPECT_FLOAT_EQ(taken_[0], 4 - 0.5f * 4 / 5 - 0.5f * 12 / std::sqrt(169.0f));
}

TEST_F(CachedRowsTest, RowsAreNotKeptIfThisWorkerPushedMeanwhile) {
  CachedRows cache = Make();
  const float row = 1;
  const Keys key = {5};
  const CachedRows::Ticket before = cache.BeginPull();
  cache.BeginPush(key, &row);
  const CachedRows::Ticket during = cache.BeginPull();
  cache.EndPush(true);
  cache.Keep(before, key, &row, 9);
  cache.Keep(during, key, &row, 9);
  EXPECT_THAT(Take(&cache, 1, key), ElementsAre(0));
  cache.Keep(cache.BeginPull(), key, &row, 9);
  EXPECT_THAT(Take(&cache, 1, key), IsEmpty());
}

TEST_F(CachedRowsTest, APullThatComesLateDoesNotReplaceANewerRow) {
  CachedRows cache = Make();
  Keep(&cache, {1}, {2}, 8);
  Keep(&cache, {1}, {3}, 6);
  Take(&cache, 7, {1});
  EXPECT_THAT(taken_, ElementsAre(2));
}

TEST_F(CachedRowsTest, APushThatFailedDropsAll) {
  CachedRows cache = Make();
  Keep(&cache, {1, 2}, {1, 2}, 8);
  Push(&cache, {1}, {1}, false);
  EXPECT_THAT(Take(&cache, 0, {1, 2}), ElementsAre(0, 1));
  Keep(&cache, {1}, {1}, 8);
  EXPECT_THAT(Take(&cache, 0, {1}), IsEmpty());
}

TEST_F(CachedRowsTest, RowsThatNobodyAsksForGiveWay) {
  CachedRows cache = Make(ROW_OPTIMIZER_SGD, 3);
  Keep(&cache, {1, 2, 3}, {1, 2, 3}, 9);
  Take(&cache, 0, {1, 3});
  Keep(&cache, {4}, {4}, 9);
  EXPECT_THAT(Take(&cache, 0, {1, 2, 3, 4}), ElementsAre(1));
  EXPECT_THAT(taken_, ElementsAre(1, -1, 3, 4));
  Keep(&cache, {5, 6}, {5, 6}, 9);  // all were asked for: in turn
  EXPECT_EQ(Take(&cache, 0, {1, 3, 4, 5, 6}).size(), 2u);
}

}  // namespace
}  // namespace syncline
