#include "worker/backend/cpu/vector_math.h"

#include <cmath>
#include <cstdio>
#include <limits>
#include <string>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// Every 997th float between low and high: the largest error in ulps of the nearest float.
template <typename Fast, typename Exact>
double WorstUlps(float low, float high, Fast fast, Exact exact) {
  double worst = 0.0;
  for (const float sign : {-1.0f, 1.0f}) {
    for (uint32_t bits = 1u << 23; bits < 0x7f800000u; bits += 997) {
      const float x = sign * BitsFloat(bits);
      if (x < low || x > high) continue;
      const double expected = exact(static_cast<double>(x));
      const float nearest = std::fabs(static_cast<float>(expected));
      const double ulp = std::nextafter(nearest, 1e38f) - nearest;
      worst = std::fmax(worst, std::fabs(fast(x) - expected) / ulp);
    }
  }
  return worst;
}

TEST(VectorMathTest, ErrorsAreAsStated) {
  const double e = WorstUlps(-87.3f, 88.3f, [](float x) { return FastExp(x); },
                             [](double x) { return std::exp(x); });
  const double t = WorstUlps(-1e30f, 1e30f, [](float x) { return FastTanh(x); },
                             [](double x) { return std::tanh(x); });
  const double s = WorstUlps(-80.0f, 1e30f, [](float x) { return FastSigmoid(x); },
                             [](double x) { return 1.0 / (1.0 + std::exp(-x)); });
  RecordProperty("exp_ulps", std::to_string(e));
  RecordProperty("tanh_ulps", std::to_string(t));
  RecordProperty("sigmoid_ulps", std::to_string(s));
  EXPECT_LT(e, 1.1);
  EXPECT_LT(t, 1.5);
  EXPECT_LT(s, 2.5);
  std::printf("worst errors in ulps: exp %.2f, tanh %.2f, sigmoid %.2f\n", e, t, s);
}

TEST(VectorMathTest, EndsAndNaN) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  EXPECT_TRUE(std::isnan(FastExp(nan)));
  EXPECT_TRUE(std::isnan(FastTanh(nan)));
  EXPECT_TRUE(std::isnan(FastSigmoid(nan)));
  EXPECT_EQ(FastTanh(infinity), 1.0f);
  EXPECT_EQ(FastTanh(-infinity), -1.0f);
  EXPECT_EQ(FastTanh(0.0f), 0.0f);
  EXPECT_EQ(FastSigmoid(infinity), 1.0f);
  EXPECT_LT(FastSigmoid(-infinity), 1e-37f);
  EXPECT_EQ(FastExp(0.0f), 1.0f);
}

}  // namespace
}  // namespace syncline
