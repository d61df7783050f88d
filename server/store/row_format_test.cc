#include "server/store/row_format.h"

#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/exact_adam.h"
#include "common/optimizer/sgd.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

const ElementwiseRows& NoState() {
  static const ElementwiseRows& rule = *new ElementwiseRows(std::make_unique<Sgd>(0.0f));
  return rule;
}

class RowFormatTest : public testing::TestWithParam<StoredAs> {
 protected:
  // What the weights are after having been stored; `updates` chooses how to round.
  std::vector<float> Stored(const std::vector<float>& weights, uint32_t updates) const {
    const RowFormat format(weights.size(), GetParam(), NoState());
    std::vector<char> row(format.stride());
    RowFormat::SetKey(77, row.data());
    RowFormat::SetUpdates(updates, row.data());
    format.WriteWeights(weights.data(), row.data());
    std::vector<float> read(weights.size());
    format.ReadWeights(row.data(), read.data());
    return read;
  }
  // The distance of neighbouring stored numbers around those of a row whose furthest is `most`.
  double Step(double value, double most) const {
    const double power = std::exp2(std::floor(std::log2(std::fabs(value) + 1e-9)));
    switch (GetParam()) {
      case StoredAs::kFloat32:
        return 0;
      case StoredAs::kFloat16:
        return std::max(power / 1024, 0x1p-24);
      case StoredAs::kBfloat16:
        return power / 128;
      case StoredAs::kInt8:
        return most / 127;
    }
    return 0;
  }
};

TEST_P(RowFormatTest, WhatIsStoredIsOneStepAwayAtMost) {
  for (const size_t dim : {1, 2, 3, 5, 16, 64, 300}) {
    std::vector<float> weights(dim);
    double most = 0;
    for (size_t i = 0; i < dim; ++i) {
      weights[i] = std::sin(static_cast<float>(i + 1)) / static_cast<float>(1 + i % 7);
      most = std::max(most, std::fabs(double{weights[i]}));
    }
    const std::vector<float> read = Stored(weights, 1);
    for (size_t i = 0; i < dim; ++i) {
      EXPECT_NEAR(read[i], weights[i], Step(weights[i], most) * 1.0001) << dim << ' ' << i;
    }
    EXPECT_EQ(read, Stored(weights, 1)) << "the same each time";
  }
}

TEST_P(RowFormatTest, RoundingIsRightInTheMean) {
  const std::vector<float> weights = {0.1f, -0.3001f, 1, 0.77701f};
  std::vector<double> sums(weights.size());
  constexpr uint32_t kTimes = 20000;
  for (uint32_t updates = 1; updates <= kTimes; ++updates) {
    const std::vector<float> read = Stored(weights, updates);
    for (size_t i = 0; i < weights.size(); ++i) sums[i] += read[i];
  }
  for (size_t i = 0; i < weights.size(); ++i) {
    // Four standard deviations of a mean of steps up or down, and what float32 itself cuts off.
    const double bound = 4 * 0.5 * Step(weights[i], 1) / std::sqrt(kTimes) + 1e-6;
    EXPECT_NEAR(sums[i] / kTimes, weights[i], bound) << i;
  }
}

TEST_P(RowFormatTest, WhatIsNotFiniteStaysSo) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  EXPECT_FALSE(std::isfinite(Stored({1, infinity, 2}, 1)[1]));
  EXPECT_TRUE(std::isnan(Stored({1, nan, 2}, 1)[1]));
  EXPECT_EQ(Stored({0, 0, 0}, 1), std::vector<float>({0, 0, 0}));
}

INSTANTIATE_TEST_SUITE_P(Storages, RowFormatTest,
                         testing::Values(StoredAs::kFloat32, StoredAs::kFloat16,
                                         StoredAs::kBfloat16, StoredAs::kInt8));

TEST(RowFormatLayoutTest, Strides) {
  EXPECT_EQ(RowFormat(16, StoredAs::kFloat32, NoState()).stride(), 16u + 64);
  EXPECT_EQ(RowFormat(3, StoredAs::kFloat16, NoState()).stride(), 16u + 8);
  EXPECT_EQ(RowFormat(4, StoredAs::kBfloat16, NoState()).stride(), 16u + 8);
  EXPECT_EQ(RowFormat(5, StoredAs::kInt8, NoState()).stride(), 16u + 12);
  const ExactAdam adam{ExactAdam::Settings{}};
  const RowFormat format(8, StoredAs::kFloat32, adam);
  EXPECT_EQ(format.stride(), 16u + 32 + 32 + 32 + 4);
  EXPECT_EQ(format.weights_end(), 48u);
}

TEST(RowFormatLayoutTest, PartsDoNotOverlap) {
  const ExactAdam adam{ExactAdam::Settings{}};
  const RowFormat format(3, StoredAs::kInt8, adam);
  std::vector<char> row(format.stride());
  const std::vector<float> weights = {1, 2, 3}, m = {4, 5, 6}, v = {7, 8, 9}, rate = {0.5f};
  RowFormat::SetKey(~uint64_t{1}, row.data());
  RowFormat::SetUpdates(3, row.data());
  RowFormat::SetChanged(9, row.data());
  format.WriteState(m.data(), 0, row.data());
  format.WriteState(v.data(), 1, row.data());
  format.WriteState(rate.data(), 2, row.data());
  format.WriteWeights(weights.data(), row.data());
  std::vector<float> read(3);
  format.ReadState(row.data(), 0, read.data());
  EXPECT_EQ(read, m);
  format.ReadState(row.data(), 1, read.data());
  EXPECT_EQ(read, v);
  format.ReadState(row.data(), 2, read.data());
  EXPECT_EQ(read[0], 0.5f);
  EXPECT_EQ(RowFormat::Key(row.data()), ~uint64_t{1});
  EXPECT_EQ(RowFormat::Updates(row.data()), 3u);
  EXPECT_EQ(RowFormat::Changed(row.data()), 9u);
}

}  // namespace
}  // namespace syncline
