#include "server/store/row_eviction.h"

#include <memory>
#include <vector>

#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/sgd.h"
#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RowEvictionTest : public testing::Test {
 protected:
  // One update that moves these keys' two weights by -size.
  void Push(const std::vector<uint64_t>& keys, float size = 1) {
    const std::vector<float> values(keys.size() * 2, size);
    const Fragments gradients = Fragments::Of(values.data(), values.size() * sizeof(float));
    UpdateSettings settings;
    settings.learning_rate = 1;
    slot_.Update({{keys, &gradients, 1}}, settings);
  }

  const ElementwiseRows rule_{std::make_unique<Sgd>(0.0f)};
  RowSlot slot_{RowFormat(2, StoredAs::kFloat32, rule_), &rule_, InitialRows()};
  EvictionPolicy policy_;
};

TEST_F(RowEvictionTest, NothingUnlessTold) {
  Push({1, 2, 3});
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(IsEmpty()));
}

TEST_F(RowEvictionTest, ByAge) {
  Push({7, 8});
  Push({8});
  Push({9});
  policy_.max_age = 2;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(7)));
  policy_.max_age = 1;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(7, 8)));
}

TEST_F(RowEvictionTest, ThoseThatNoLaterUpdateTouched) {
  Push({7, 8});
  Push({8, 6});
  Push({9});
  EXPECT_THAT(RowsUntouchedSince(slot_, 1), IsOkAndHolds(ElementsAre(7)));
  EXPECT_THAT(RowsUntouchedSince(slot_, 2), IsOkAndHolds(ElementsAre(6, 7, 8)));
}

TEST_F(RowEvictionTest, ByNorm) {
  Push({1}, 3);
  Push({2}, -0.1f);
  policy_.min_norm = 1;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(2)));
}

TEST_F(RowEvictionTest, AboveCapacityAnEighthIsFreed) {
  std::vector<uint64_t> keys(16);
  for (uint64_t key = 0; key < keys.size(); ++key) keys[key] = key;
  Push(keys);
  policy_.capacity = 16;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(IsEmpty()));
  Push({100}, 0.5f);
  Push({5, 2}, -0.9f);
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(0, 1, 3)));
  policy_.order = EvictionOrder::kLeastUsed;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(0, 1, 3)));
  policy_.order = EvictionOrder::kSmallest;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(2, 5, 100)));
}

TEST_F(RowEvictionTest, WhatIsEvictedAnywayCountsAsFree) {
  Push({1, 2, 3, 4, 5, 6, 7, 8});
  Push({9, 10});
  policy_.capacity = 8;
  policy_.max_age = 1;
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(ElementsAre(1, 2, 3, 4, 5, 6, 7, 8)));
}

TEST_F(RowEvictionTest, TheOrderOfRowsDoesNotMatter) {
  const ElementwiseRows rule(std::make_unique<Sgd>(0.0f));
  std::vector<uint64_t> keys(200);
  for (uint64_t key = 0; key < keys.size(); ++key) keys[key] = key * 31;
  Push(keys);
  policy_.capacity = 100;
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const std::vector<uint64_t> evicted, RowsToEvict(slot_, policy_));
  EXPECT_EQ(evicted.size(), 200u - 88);
  // Out and in again in another order, by a snapshot from both ends.
  RowSlot reversed(slot_.format(), &rule, InitialRows());
  for (size_t row = slot_.rows(); row-- > 0;) {
    const Fragments one = Fragments::Of(slot_.At(row), slot_.format().stride());
    ASSERT_TRUE(reversed.Merge(slot_.version(), one).ok());
  }
  EXPECT_THAT(RowsToEvict(reversed, policy_), IsOkAndHolds(evicted));
  EXPECT_THAT(slot_.Erase(evicted), IsOkAndHolds(evicted.size()));
  EXPECT_THAT(RowsToEvict(slot_, policy_), IsOkAndHolds(IsEmpty()));
}

}  // namespace
}  // namespace syncline
