#include "server/store/initializer.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "gtest/gtest.h"

namespace syncline {
namespace {

TensorSpec Tensor(Initializer::Kind kind, float a, float b, const std::string& name = "w") {
  TensorSpec tensor;
  tensor.set_name(name);
  tensor.mutable_initializer()->set_kind(kind);
  tensor.mutable_initializer()->set_a(a);
  tensor.mutable_initializer()->set_b(b);
  return tensor;
}

std::vector<float> Values(const TensorSpec& tensor, uint64_t seed, uint64_t begin, size_t n) {
  std::vector<float> values(n);
  Initialize(tensor, seed, begin, n, values.data());
  return values;
}

TEST(InitializerTest, TheCutChangesNothing) {
  for (const auto kind : {Initializer::UNIFORM, Initializer::NORMAL}) {
    const TensorSpec tensor = Tensor(kind, 0, 1);
    const std::vector<float> whole = Values(tensor, 1, 0, 1000);
    const std::vector<float> part = Values(tensor, 1, 333, 100);
    EXPECT_EQ(std::vector<float>(whole.begin() + 333, whole.begin() + 433), part);
  }
}

TEST(InitializerTest, SeedAndNameChangeEverything) {
  const auto base = Values(Tensor(Initializer::UNIFORM, 0, 1), 1, 0, 100);
  EXPECT_NE(base, Values(Tensor(Initializer::UNIFORM, 0, 1), 2, 0, 100));
  EXPECT_NE(base, Values(Tensor(Initializer::UNIFORM, 0, 1, "v"), 1, 0, 100));
}

TEST(InitializerTest, MomentsAreRight) {
  constexpr size_t kN = 200000;
  const auto moments = [](const std::vector<float>& v) {
    double sum = 0, squares = 0;
    for (const float x : v) sum += x, squares += double{x} * x;
    const double mean = sum / v.size();
    return std::make_pair(mean, std::sqrt(squares / v.size() - mean * mean));
  };
  const auto uniform = moments(Values(Tensor(Initializer::UNIFORM, -3, 1), 5, 0, kN));
  EXPECT_NEAR(uniform.first, -1, 0.01);
  EXPECT_NEAR(uniform.second, 4 / std::sqrt(12.0), 0.01);
  const auto normal = moments(Values(Tensor(Initializer::NORMAL, 2, 0.5), 5, 0, kN));
  EXPECT_NEAR(normal.first, 2, 0.005);
  EXPECT_NEAR(normal.second, 0.5, 0.005);
}

TEST(InitializerTest, ZerosAndConstants) {
  EXPECT_EQ(Values(Tensor(Initializer::ZEROS, 7, 7), 1, 0, 2), std::vector<float>({0, 0}));
  EXPECT_EQ(Values(Tensor(Initializer::CONSTANT, 7, 0), 1, 0, 2), std::vector<float>({7, 7}));
}

}  // namespace
}  // namespace syncline
