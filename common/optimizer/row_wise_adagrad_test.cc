#include "common/optimizer/row_wise_adagrad.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TEST(RowWiseAdagradTest, OneSumARow) {
  constexpr size_t kRows = 3, kDim = 21;
  constexpr float kRate = 0.05f, kDecay = 0.01f;
  const RowWiseAdagrad rule(1e-8f, 0.5f, kDecay);
  ASSERT_EQ(rule.state_width(0, kDim), 1u);
  std::vector<float> weights(kRows * kDim, 1.0f), sums(kRows, rule.initial_state(0));
  std::vector<double> expected(kRows * kDim, 1.0), expected_sums(kRows, 0.5);
  std::vector<float> gradients(kRows * kDim);
  for (int step = 1; step <= 10; ++step) {
    for (size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = std::cos(static_cast<float>(i * 5 + step));
    }
    for (size_t row = 0; row < kRows; ++row) {
      double squares = 0;
      for (size_t i = row * kDim; i < (row + 1) * kDim; ++i) {
        squares += std::pow(gradients[i] + kDecay * expected[i], 2);
      }
      expected_sums[row] += squares / kDim;
      for (size_t i = row * kDim; i < (row + 1) * kDim; ++i) {
        const double g = gradients[i] + kDecay * expected[i];
        expected[i] -= kRate * g / (std::sqrt(expected_sums[row]) + 1e-8);
      }
    }
    const RowArrays rows{kRows, kDim, gradients.data(), weights.data(), {sums.data()}, nullptr};
    rule.Apply({static_cast<uint64_t>(step), kRate}, rows);
  }
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(weights[i], expected[i], 1e-5) << i;
  for (size_t row = 0; row < kRows; ++row) EXPECT_NEAR(sums[row], expected_sums[row], 1e-5);
}

TEST(RowWiseAdagradTest, ARowDoesNotDependOnItsNeighbours) {
  constexpr size_t kRows = 7, kDim = 13;
  const RowWiseAdagrad rule(1e-8f, 0, 0);
  std::vector<float> together(kRows * kDim, 0.25f), apart = together, gradients(kRows * kDim);
  std::vector<float> sums(kRows, 0), sums_apart = sums;
  for (size_t i = 0; i < gradients.size(); ++i) gradients[i] = 0.01f * static_cast<float>(i) - 0.3f;
  rule.Apply({1, 0.1f}, {kRows, kDim, gradients.data(), together.data(), {sums.data()}, nullptr});
  for (size_t row = kRows; row-- > 0;) {
    rule.Apply({1, 0.1f},
               {1, kDim, &gradients[row * kDim], &apart[row * kDim], {&sums_apart[row]}, nullptr});
  }
  EXPECT_EQ(together, apart);
  EXPECT_EQ(sums, sums_apart);
}

}  // namespace
}  // namespace syncline
