#include "worker/data/random_linear.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "worker/data/test_files.h"

namespace syncline {
namespace {

TEST(RandomLinearTest, IsUniformAndOwesAllToItsSeed) {
  const auto data = MakeRandomLinear(1000, 3, 1, {});
  EXPECT_EQ(data->size(), 1000u);
  double sum = 0;
  for (uint32_t i = 0; i < 1000; ++i) {
    for (const float value : FeaturesOf(*data, {i})) {
      EXPECT_TRUE(value >= 0 && value < 1) << value;
      sum += value;
    }
  }
  EXPECT_NEAR(sum / 3000, 0.5, 0.03);
  EXPECT_EQ(FeaturesOf(*data, {7}), FeaturesOf(*MakeRandomLinear(1000, 3, 1, {}), {7}));
  EXPECT_EQ(TargetsOf(*data, {7}), TargetsOf(*MakeRandomLinear(1000, 3, 1, {}), {7}));
  EXPECT_NE(FeaturesOf(*data, {7}), FeaturesOf(*MakeRandomLinear(1000, 3, 2, {}), {7}));
}

}  // namespace
}  // namespace syncline
