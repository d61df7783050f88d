#include "server/store/initial_rows.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

Initializer Settings(Initializer::Kind kind, float a, float b) {
  Initializer settings;
  settings.set_kind(kind);
  settings.set_a(a);
  settings.set_b(b);
  return settings;
}

std::vector<float> Row(const InitialRows& initializer, uint64_t key, size_t dim) {
  std::vector<float> row(dim);
  initializer.Fill(key, dim, row.data());
  return row;
}

TEST(InitialRowsTest, SeedTableAndKeyChangeEverything) {
  for (const auto kind : {Initializer::UNIFORM, Initializer::NORMAL}) {
    const Initializer settings = Settings(kind, 0, 1);
    const InitialRows one(settings, 1, "users");
    const std::vector<float> row = Row(one, 7, 33);
    EXPECT_EQ(row, Row(InitialRows(settings, 1, "users"), 7, 33));
    for (const std::vector<float>& other :
         {Row(one, 8, 33), Row(InitialRows(settings, 2, "users"), 7, 33),
          Row(InitialRows(settings, 1, "items"), 7, 33)}) {
      for (size_t i = 0; i < row.size(); ++i) EXPECT_NE(row[i], other[i]);
    }
  }
}

TEST(InitialRowsTest, AWiderRowBeginsWithTheNarrower) {
  const InitialRows initializer(Settings(Initializer::UNIFORM, -1, 1), 5, "t");
  std::vector<float> wide = Row(initializer, 3, 40);
  wide.resize(13);
  EXPECT_EQ(wide, Row(initializer, 3, 13));
}

TEST(InitialRowsTest, MomentsOverKeysAndElements) {
  const auto moments = [](const InitialRows& initializer) {
    double sum = 0, squares = 0, most = -1e9;
    constexpr size_t kKeys = 20000, kDim = 16;
    for (uint64_t key = 0; key < kKeys; ++key) {
      for (const float x : Row(initializer, key, kDim)) {
        sum += x, squares += double{x} * x, most = std::max<double>(most, x);
      }
    }
    const double mean = sum / (kKeys * kDim);
    return std::vector<double>{mean, std::sqrt(squares / (kKeys * kDim) - mean * mean), most};
  };
  const auto uniform = moments(InitialRows(Settings(Initializer::UNIFORM, -3, 1), 5, "t"));
  EXPECT_NEAR(uniform[0], -1, 0.02);
  EXPECT_NEAR(uniform[1], 4 / std::sqrt(12.0), 0.02);
  EXPECT_LT(uniform[2], 1);
  const auto normal = moments(InitialRows(Settings(Initializer::NORMAL, 2, 0.5), 5, "t"));
  EXPECT_NEAR(normal[0], 2, 0.01);
  EXPECT_NEAR(normal[1], 0.5, 0.01);
}

TEST(InitialRowsTest, Constants) {
  EXPECT_EQ(Row(InitialRows(), 1, 3), std::vector<float>({0, 0, 0}));
  EXPECT_EQ(Row(InitialRows(Settings(Initializer::CONSTANT, 2.5f, 0), 1, "t"), 1, 2),
            std::vector<float>({2.5f, 2.5f}));
}

}  // namespace
}  // namespace syncline
