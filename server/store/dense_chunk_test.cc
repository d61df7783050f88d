#include "server/store/dense_chunk.h"

#include <memory>
#include <numeric>
#include <vector>

#include "common/optimizer/adagrad.h"
#include "common/optimizer/lamb.h"
#include "common/optimizer/momentum.h"
#include "common/optimizer/sgd.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::FloatEq;

constexpr size_t kMany = 10000;  // more than two blocks and no multiple of one

Fragments Of(const std::vector<float>& values) {
  return Fragments::Of(values.data(), values.size() * sizeof(float));
}

std::vector<float> Values(const Fragments& fragments) {
  std::vector<float> values(fragments.size() / sizeof(float));
  FloatReader reader(fragments);
  const float* from = reader.Next(values.size(), values.data());
  if (from != values.data()) values.assign(from, from + values.size());
  return values;
}

std::vector<float> Ramp(size_t n, float scale) {
  std::vector<float> values(n);
  for (size_t i = 0; i < n; ++i) values[i] = scale * static_cast<float>(i % 97) - scale;
  return values;
}

UpdateSettings Rate(double rate) {
  UpdateSettings settings;
  settings.learning_rate = rate;
  return settings;
}

TEST(DenseChunkTest, AnUpdateIsTheWeightedSum) {
  const Sgd rule(0);
  DenseChunk chunk(&rule, 3);
  const std::vector<float> a = {1, 2, 3}, b = {10, 20, 30};
  const Fragments fa = Of(a), fb = Of(b);
  chunk.Update({{&fa, 0.75f}, {&fb, 0.25f}}, Rate(1));
  EXPECT_THAT(Values(chunk.weights()), ElementsAre(-3.25f, -6.5f, -9.75f));
  EXPECT_EQ(chunk.version(), 1u);
}

TEST(DenseChunkTest, ScalesThenClamps) {
  const Sgd rule(0);
  DenseChunk chunk(&rule, 3);
  const std::vector<float> gradient = {2, -8, 20};
  const Fragments f = Of(gradient);
  UpdateSettings settings = Rate(1);
  settings.gradient_scale = 0.5f;
  settings.clip_value = 3;
  chunk.Update({{&f, 1}}, settings);
  EXPECT_THAT(Values(chunk.weights()), ElementsAre(-1, 3, -3));
}

TEST(DenseChunkTest, ASnapshotStaysAsItWas) {
  const Adagrad rule(1e-10f, 0, 0);
  DenseChunk chunk(&rule, kMany);
  const std::vector<float> gradient = Ramp(kMany, 0.5f);
  const Fragments f = Of(gradient);
  chunk.Update({{&f, 1}}, Rate(0.1));
  const Fragments weights = chunk.weights(), state = chunk.state(0);
  const std::vector<float> before = Values(weights), sum = Values(state);
  chunk.Update({{&f, 1}}, Rate(0.1));
  EXPECT_EQ(Values(weights), before);
  EXPECT_EQ(Values(state), sum);
  EXPECT_NE(Values(chunk.weights()), before);
  EXPECT_NE(Values(chunk.state(0)), sum);
}

TEST(DenseChunkTest, LookingAtAChunkChangesNoBit) {
  const Momentum rule(0.9f, true, 0.01f);
  DenseChunk seen(&rule, kMany), unseen(&rule, kMany);
  const std::vector<float> a = Ramp(kMany, 0.3f), b = Ramp(kMany, -0.7f);
  const Fragments fa = Of(a), fb = Of(b);
  for (int i = 0; i < 5; ++i) {
    const Fragments weights = seen.weights(), state = seen.state(0);
    seen.Update({{&fa, 0.5f}, {&fb, 0.5f}}, Rate(0.1));
    unseen.Update({{&fa, 0.5f}, {&fb, 0.5f}}, Rate(0.1));
  }
  EXPECT_EQ(Values(seen.weights()), Values(unseen.weights()));
}

TEST(DenseChunkTest, WhereAGradientIsSplitChangesNoBit) {
  const Momentum rule(0.9f, false, 0);
  DenseChunk whole(&rule, kMany), split(&rule, kMany);
  const std::vector<float> gradient = Ramp(kMany, 0.3f);
  const char* bytes = reinterpret_cast<const char*>(gradient.data());
  Fragments pieces;  // the cuts fall inside floats
  pieces.Append(bytes, 4097);
  pieces.Append(bytes + 4097, 20001);
  pieces.Append(bytes + 24098, kMany * 4 - 24098);
  const Fragments f = Of(gradient);
  whole.Update({{&f, 1}}, Rate(0.1));
  split.Update({{&pieces, 1}}, Rate(0.1));
  EXPECT_EQ(Values(whole.weights()), Values(split.weights()));
  EXPECT_EQ(whole.SquaredNorm({{&f, 1}}), split.SquaredNorm({{&pieces, 1}}));
}

TEST(DenseChunkTest, TwoPassesAreOneUpdate) {
  const Lamb rule(Lamb::Settings{});
  DenseChunk one(&rule, kMany), two(&rule, kMany);
  std::fill_n(one.initial_weights(), kMany, 1.0f);
  std::fill_n(two.initial_weights(), kMany, 1.0f);
  const std::vector<float> gradient = Ramp(kMany, 0.1f);
  const Fragments f = Of(gradient);
  one.Update({{&f, 1}}, Rate(0.1));
  const Fragments seen = two.weights();
  const LayerSums sums = two.Prepare({{&f, 1}}, Rate(0.1));
  EXPECT_EQ(two.version(), 0u);
  EXPECT_THAT(Values(two.weights()), Each(FloatEq(1)));
  two.Finish(sums, Rate(0.1));
  EXPECT_EQ(Values(one.weights()), Values(two.weights()));
  EXPECT_EQ(two.version(), 1u);
}

TEST(DenseChunkTest, GoesOnFromASnapshot) {
  const Momentum rule(0.9f, false, 0);
  DenseChunk first(&rule, kMany), second(&rule, kMany);
  const std::vector<float> gradient = Ramp(kMany, 0.3f);
  const Fragments f = Of(gradient);
  first.Update({{&f, 1}}, Rate(0.1));
  ASSERT_TRUE(second.Restore(first.version(), first.content()).ok());
  first.Update({{&f, 1}}, Rate(0.1));
  second.Update({{&f, 1}}, Rate(0.1));
  EXPECT_EQ(Values(first.weights()), Values(second.weights()));
  EXPECT_EQ(second.version(), 2u);
}

}  // namespace
}  // namespace syncline
