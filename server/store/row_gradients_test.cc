#include "server/store/row_gradients.h"

#include <map>
#include <random>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::ElementsAre;

Fragments Of(const std::vector<float>& values) {
  return Fragments::Of(values.data(), values.size() * sizeof(float));
}

std::vector<float> Values(const Fragments& fragments) {
  std::vector<float> values(fragments.size() / sizeof(float));
  FloatReader(fragments).Copy(fragments.size(), reinterpret_cast<char*>(values.data()));
  return values;
}

TEST(RowSumsTest, SumsByKeyInTheOrderOfThePushes) {
  const std::vector<uint64_t> first = {5, 0}, second = {9, 5};
  const std::vector<float> a = {1, 2, 10, 20}, b = {100, 200, 3, 4};
  const Fragments fa = Of(a), fb = Of(b);
  const RowSums sums({{first, &fa, 0.5f}, {second, &fb, 2}}, 2);
  EXPECT_THAT(sums.keys(), ElementsAre(5, 0, 9));
  EXPECT_THAT(Values(sums.sums()), ElementsAre(6.5f, 9, 5, 10, 200, 400));
}

TEST(RowSumsTest, NoKeysNoSums) {
  const Fragments none;
  const RowSums sums({{{}, &none, 1}, {{}, &none, 1}}, 4);
  EXPECT_TRUE(sums.keys().empty());
  EXPECT_TRUE(sums.sums().empty());
}

TEST(RowSumsTest, AsAMapDoesIt) {
  constexpr size_t kDim = 3;
  std::mt19937_64 random(11);
  std::vector<std::vector<uint64_t>> keys(4);
  std::vector<std::vector<float>> gradients(4);
  std::vector<Fragments> fragments(4);
  std::vector<RowGradients> pushes;
  std::map<uint64_t, std::vector<float>> expected;
  for (size_t p = 0; p < keys.size(); ++p) {
    std::map<uint64_t, bool> chosen;
    while (chosen.size() < 2000) chosen[random() % 5000 << 52 | random() % 3] = true;
    for (const auto& [key, unused] : chosen) {
      std::vector<float>& sum = expected.try_emplace(key, kDim, 0.0f).first->second;
      keys[p].push_back(key);
      for (size_t i = 0; i < kDim; ++i) {
        gradients[p].push_back(static_cast<float>(random() % 1000) / 7);
        sum[i] += 0.25f * gradients[p].back();
      }
    }
    fragments[p] = Of(gradients[p]);
    pushes.push_back({keys[p], &fragments[p], 0.25f});
  }
  const RowSums sums(pushes, kDim);
  const std::vector<float> values = Values(sums.sums());
  ASSERT_EQ(sums.keys().size(), expected.size());
  for (size_t row = 0; row < sums.keys().size(); ++row) {
    const std::vector<float> sum(values.begin() + static_cast<int>(row * kDim),
                                 values.begin() + static_cast<int>((row + 1) * kDim));
    EXPECT_EQ(sum, expected.at(sums.keys()[row]));
  }
}

}  // namespace
}  // namespace syncline
