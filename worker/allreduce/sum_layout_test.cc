#include "worker/allreduce/sum_layout.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The main job's: 784 x 512, 512 x 256, 256 x 10, each with a bias after it, in chunks of 1 MiB.
std::vector<Client::Chunk> Perceptron() {
  return {{0, 0, 262144}, {0, 262144, 139264}, {1, 0, 512}, {2, 0, 131072}, {3, 0, 256}, {4, 0, 2560}, {5, 0, 10}};
}

TEST(SumLayoutTest, BucketsComeFromTheLastTensorToTheFirst) {
  const auto buckets = CutBuckets(Perceptron(), {0, 1}, 2);
  ASSERT_EQ(buckets.size(), 2u);
  EXPECT_EQ(buckets[0].begin, 2u);
  EXPECT_EQ(buckets[0].end, 6u);
  EXPECT_EQ(buckets[1].begin, 0u);
  EXPECT_EQ(buckets[1].end, 2u);
}

TEST(SumLayoutTest, EachProcessHasAboutAsMuchToSum) {
  const auto chunks = Perceptron();
  const auto buckets = CutBuckets(chunks, {0, 1}, 2);
  std::vector<size_t> load(2);
  for (size_t process = 0; process < 2; ++process) {
    for (const uint32_t c : ShareOf(buckets, process)) load[process] += chunks[c].elements;
  }
  EXPECT_EQ(load[0] + load[1], 535818u);
  EXPECT_NEAR(static_cast<double>(load[0]), 535818.0 / 2, 535818.0 / 50);
}

TEST(SumLayoutTest, EachChunkHasOneProcess) {
  const auto buckets = CutBuckets(Perceptron(), {0, 1, 2}, 3);
  std::vector<uint32_t> all;
  for (size_t process = 0; process < 3; ++process) {
    for (const uint32_t c : ShareOf(buckets, process)) all.push_back(c);
  }
  EXPECT_THAT(all, ::testing::UnorderedElementsAre(0, 1, 2, 3, 4, 5, 6));
}

TEST(SumLayoutTest, AProcessMayHaveNothing) {
  const auto buckets = CutBuckets({{{0, 0, 5}, {1, 0, 7}}}, {0, 1, 2}, 3);
  ASSERT_EQ(buckets.size(), 1u);
  EXPECT_THAT(ShareOf(buckets, 0), ElementsAre(1));
  EXPECT_THAT(ShareOf(buckets, 1), ElementsAre(0));
  EXPECT_THAT(ShareOf(buckets, 2), IsEmpty());
}

TEST(SumLayoutTest, OnlyOwnersHaveSomething) {
  const auto buckets = CutBuckets(Perceptron(), {0, 2}, 3);
  EXPECT_THAT(ShareOf(buckets, 0), ElementsAre(1, 3, 4, 6));
  EXPECT_THAT(ShareOf(buckets, 1), IsEmpty());
  EXPECT_THAT(ShareOf(buckets, 2), ElementsAre(0, 2, 5));
}

}  // namespace
}  // namespace syncline
