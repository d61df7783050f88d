#include "worker/data/permutation.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

TEST(PermutationTest, HoldsEverySampleOnce) {
  const std::vector<uint32_t> order = EpochPermutation(1000, 1, 0);
  EXPECT_EQ(std::set<uint32_t>(order.begin(), order.end()).size(), 1000u);
  EXPECT_EQ(*std::max_element(order.begin(), order.end()), 999u);
}

// A checkpoint's positions mean the same after any upgrade: these figures never change.
TEST(PermutationTest, IsTheSameForEver) {
  EXPECT_THAT(EpochPermutation(8, 1, 0), ElementsAre(0, 3, 7, 1, 4, 2, 6, 5));
  EXPECT_NE(EpochPermutation(100, 1, 0), EpochPermutation(100, 1, 1));
  EXPECT_NE(EpochPermutation(100, 1, 0), EpochPermutation(100, 2, 0));
}

TEST(PermutationTest, IsUniform) {
  int first[3] = {};
  for (uint64_t epoch = 0; epoch < 3000; ++epoch) ++first[EpochPermutation(3, 5, epoch)[0]];
  for (const int count : first) EXPECT_NEAR(count, 1000, 120);
}

TEST(EpochOrderTest, LooksPositionsUp) {
  EpochOrder order(10, 1);
  const std::vector<uint32_t> epoch2 = EpochPermutation(10, 1, 2);
  EXPECT_THAT(order.Samples(2, 0, 10), ElementsAreArray(epoch2));
  const auto part = order.Samples(3, 4, 3);
  EXPECT_THAT(order.Samples(2, 8, 5), ElementsAreArray({epoch2[8], epoch2[9]}));
  EXPECT_EQ(part.size(), 3u);
  EXPECT_EQ(part[0], EpochPermutation(10, 1, 3)[4]);  // still valid
  EXPECT_TRUE(order.Samples(2, 20, 5).empty());
}

TEST(EpochOrderTest, TakesNoSamples) {
  EpochOrder order(0, 1);
  EXPECT_TRUE(order.Samples(0, 0, 1).empty());
}

}  // namespace
}  // namespace syncline
