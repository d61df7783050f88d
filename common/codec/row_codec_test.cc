#include "common/codec/row_codec.h"

#include <cmath>
#include <random>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

std::vector<float> Rows(size_t count, size_t dim) {
  std::mt19937 random(3);
  std::normal_distribution<float> normal;
  std::vector<float> rows(count * dim);
  // Each row's size is another.
  for (size_t i = 0; i < rows.size(); ++i) rows[i] = normal(random) * std::pow(10.0f, static_cast<float>(i / dim % 7));
  return rows;
}

std::vector<float> ThereAndBack(Codec codec, const std::vector<float>& rows, size_t dim, uint64_t seed = 1) {
  const size_t count = rows.size() / dim;
  std::vector<char> coded(count * EncodedRowBytes(codec, dim) + 1);
  EncodeRows(codec, rows.data(), count, dim, seed, coded.data() + 1);
  // In two pieces, at odd places.
  Fragments pieces;
  pieces.Append(coded.data() + 1, 5);
  pieces.Append(coded.data() + 6, coded.size() - 6);
  std::vector<float> back(rows.size());
  DecodeRows(codec, pieces, count, dim, back.data());
  return back;
}

TEST(RowCodecTest, ARowIsAsExactAsItsOwnSizeLets) {
  for (const Codec codec : {FP16, BF16, INT8}) {
    for (const size_t dim : {2, 16, 100, 256, 300, 5000}) {
      const std::vector<float> rows = Rows(20, dim), back = ThereAndBack(codec, rows, dim);
      for (size_t row = 0; row < 20; ++row) {
        float largest = 0;
        for (size_t i = 0; i < dim; ++i) largest = std::max(largest, std::abs(rows[row * dim + i]));
        if (codec == FP16 && largest > 65504) continue;
        const float off = codec == FP16 ? 0.0006f : 0.008f;
        for (size_t i = row * dim; i < (row + 1) * dim; ++i) ASSERT_NEAR(back[i], rows[i], off * largest) << i;
      }
    }
  }
}

TEST(RowCodecTest, Int8IsRightInTheMean) {
  const std::vector<float> row = {1, 0.3f, -0.0012f, 0.5f};
  std::vector<double> sums(row.size());
  for (uint64_t seed = 0; seed < 4000; ++seed) {
    const std::vector<float> back = ThereAndBack(INT8, row, row.size(), seed);
    for (size_t i = 0; i < row.size(); ++i) sums[i] += back[i];
  }
  for (size_t i = 0; i < row.size(); ++i) EXPECT_NEAR(sums[i] / 4000, row[i], 3e-4) << i;
}

TEST(RowCodecTest, RowsRoundEachInItsOwnWay) {
  std::vector<float> rows;
  for (int row = 0; row < 64; ++row) rows.insert(rows.end(), {1, 0.3f / 127});
  const std::vector<float> back = ThereAndBack(INT8, rows, 2);
  int up = 0;
  for (int row = 0; row < 64; ++row) up += back[2 * row + 1] > 0;
  EXPECT_GT(up, 5);
  EXPECT_LT(up, 40);
  EXPECT_EQ(ThereAndBack(INT8, rows, 2), back) << "the same seed gives the same bits";
}

TEST(RowCodecTest, BytesOfARow) {
  EXPECT_EQ(EncodedRowBytes(CODEC_NONE, 16), 64u);
  EXPECT_EQ(EncodedRowBytes(BF16, 16), 32u);
  EXPECT_EQ(EncodedRowBytes(INT8, 16), 20u);
  EXPECT_TRUE(CodesRows(INT8));
  EXPECT_FALSE(CodesRows(TOPK));
}

}  // namespace
}  // namespace syncline
