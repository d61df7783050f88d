#include "common/config/spelling.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

const std::vector<std::string>& Known() {
  static const auto* known = new std::vector<std::string>{"epochs", "batch_size", "momentum"};
  return *known;
}

TEST(SpellingTest, FindsTheNearest) {
  EXPECT_EQ(NearestName("epoch", Known()), "epochs");
  EXPECT_EQ(NearestName("batchsize", Known()), "batch_size");
  EXPECT_EQ(NearestName("mometnum", Known()), "momentum");
}

TEST(SpellingTest, SaysNothingWhenNothingIsNear) {
  EXPECT_EQ(NearestName("xyz", Known()), "");
  EXPECT_EQ(NearestName("", Known()), "");
  EXPECT_EQ(NearestName(std::string(100000, 'e'), Known()), "");
}

TEST(SpellingTest, SwappedNeighboursCountOnce) {
  EXPECT_EQ(NearestName("ba", {"abc", "ab"}), "ab");
}

}  // namespace
}  // namespace syncline
