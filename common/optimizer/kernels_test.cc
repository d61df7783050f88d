#include "common/optimizer/kernels.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A copy of `values` that begins `offset` bytes into its memory.
class Shifted {
 public:
  Shifted(const std::vector<float>& values, size_t offset)
      : bytes_(values.size() * sizeof(float) + offset), offset_(offset) {
    if (!values.empty()) {
      std::memcpy(bytes_.data() + offset, values.data(), values.size() * sizeof(float));
    }
  }
  const void* data() const { return bytes_.data() + offset_; }

 private:
  std::vector<char> bytes_;
  const size_t offset_;
};

TEST(AllFiniteTest, FindsEachBadElementWhereverItLies) {
  for (size_t n = 0; n <= 70; ++n) {
    for (size_t offset = 0; offset < sizeof(float); ++offset) {
      std::vector<float> values(n, -std::numeric_limits<float>::max());
      EXPECT_TRUE(AllFinite(Shifted(values, offset).data(), n));
      for (size_t i = 0; i < n; ++i) {
        for (const float bad : {std::nanf(""), -std::nanf(""), kInfinity, -kInfinity}) {
          values[i] = bad;
          EXPECT_FALSE(AllFinite(Shifted(values, offset).data(), n)) << n << " " << i << " " << bad;
        }
        values[i] = std::numeric_limits<float>::denorm_min();
      }
    }
  }
}

TEST(AddTest, IsTheSameInPlace) {
  for (size_t n = 0; n <= 70; ++n) {
    std::vector<float> a(n), b(n), sum(n);
    for (size_t i = 0; i < n; ++i) {
      a[i] = 1.0f / static_cast<float>(i + 1);
      b[i] = static_cast<float>(i);
    }
    Add(a.data(), b.data(), sum.data(), n);
    for (size_t i = 0; i < n; ++i) EXPECT_EQ(sum[i], a[i] + b[i]) << n << " " << i;
    Add(a.data(), b.data(), a.data(), n);
    EXPECT_EQ(a, sum);
  }
}

TEST(SumOfSquaresTest, IsExactWhereItCanBeAndTakesAnyLength) {
  std::vector<float> values;
  double want = 0;
  for (int n = 0; n <= 40; ++n) {
    EXPECT_EQ(SumOfSquares(values.data(), values.size()), want);
    values.push_back(static_cast<float>(n));
    want += n * n;
  }
}

TEST(ScaleAndClipTest, ClampsAfterScalingAndKeepsNaN) {
  const float in[] = {1, -3, 0.25f, std::nanf(""), kInfinity};
  float out[5];
  ScaleAndClip(2, 1, in, out, 5);
  EXPECT_EQ(out[0], 1);
  EXPECT_EQ(out[1], -1);
  EXPECT_EQ(out[2], 0.5f);
  EXPECT_TRUE(std::isnan(out[3]));
  EXPECT_EQ(out[4], 1);
  ScaleAndClip(2, 0, in, out, 3);
  EXPECT_EQ(out[1], -6) << "no limit";
}

}  // namespace
}  // namespace syncline
