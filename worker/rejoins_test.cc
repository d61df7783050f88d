#include "worker/rejoins.h"

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(RejoinsTest, EndWhenTheyComeThickAndFast) {
  Rejoins rejoins;
  for (int i = 0; i < 4; ++i) EXPECT_TRUE(rejoins.Again(absl::Seconds(1)));
  EXPECT_FALSE(rejoins.Again(absl::Seconds(1)));
}

TEST(RejoinsTest, BeginAnewAfterALongMembership) {
  Rejoins rejoins;
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(rejoins.Again(i % 4 == 0 ? absl::Minutes(2) : absl::Seconds(1)));
}

}  // namespace
}  // namespace syncline
