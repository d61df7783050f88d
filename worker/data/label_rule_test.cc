#include "worker/data/label_rule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace syncline {
namespace {

bool Accepts(Loss loss, float label) { return LabelRule{loss, 3}.Accept(&label); }

TEST(LabelRuleTest, Literal) {
  EXPECT_TRUE(Accepts(SOFTMAX_CROSS_ENTROPY, 2));
  EXPECT_FALSE(Accepts(SOFTMAX_CROSS_ENTROPY, 3));
  EXPECT_FALSE(Accepts(SOFTMAX_CROSS_ENTROPY, 0.5));
  EXPECT_FALSE(Accepts(SOFTMAX_CROSS_ENTROPY, NAN));
  EXPECT_TRUE(Accepts(LOGISTIC, 1));
  EXPECT_FALSE(Accepts(LOGISTIC, 2));
  EXPECT_TRUE(Accepts(MEAN_SQUARED_ERROR, -7.5));
  EXPECT_FALSE(Accepts(MEAN_SQUARED_ERROR, INFINITY));
}

TEST(LabelRuleTest, LogisticTakesMinusOneForZero) {
  float label = -1;
  EXPECT_TRUE((LabelRule{LOGISTIC, 1}.Accept(&label)));
  EXPECT_EQ(label, 0);
}

}  // namespace
}  // namespace syncline
