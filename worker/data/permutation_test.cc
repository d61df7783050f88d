#include "worker/data/permutation.h"

#include <algorithm>
#include <set>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

std::set<uint32_t> SetOf(const std::vector<uint32_t>& order) { return {order.begin(), order.end()}; }

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

TEST(PermutationTest, InBlocksEverySampleComesOnceAndFewPlacesAreLookedAtTogether) {
  constexpr uint32_t kSamples = 10007, kBuffer = 640, kBlock = kBuffer / kBlocksTogether;
  const std::vector<uint32_t> order = EpochPermutation(kSamples, 1, 3, kBuffer);
  EXPECT_EQ(std::set<uint32_t>(order.begin(), order.end()).size(), kSamples);
  ASSERT_EQ(order.size(), kSamples);
  for (uint32_t begin = 0; begin < 5 * kBuffer; begin += kBuffer) {
    std::set<uint32_t> blocks;
    for (uint32_t i = begin; i < begin + kBuffer; ++i) blocks.insert(order[i] / kBlock);
    // One block is shorter, so what comes after it begins earlier.
    EXPECT_LE(blocks.size(), 2 * kBlocksTogether);
    EXPECT_GT(*blocks.rbegin() - *blocks.begin(), kSamples / kBlock / 2);
  }
  EXPECT_NE(order, EpochPermutation(kSamples, 1, 4, kBuffer));
  EXPECT_EQ(order, EpochPermutation(kSamples, 1, 3, kBuffer));
  EXPECT_EQ(EpochPermutation(100, 1, 0, 100), EpochPermutation(100, 1, 0));
}

// As above, these figures never change.
TEST(PermutationTest, InBlocksIsTheSameForEver) {
  EXPECT_THAT(EpochPermutation(8, 1, 0, 3), ElementsAre(3, 7, 0, 4, 2, 1, 5, 6));
  for (const uint32_t buffer : {1, 2, 7}) EXPECT_EQ(SetOf(EpochPermutation(8, 1, 0, buffer)).size(), 8u) << buffer;
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
