#include "tests/bench/criteo_like.h"

#include <cmath>
#include <map>
#include <set>
#include <string>

#include "common/status/status_matchers.h"
#include "worker/data/criteo.h"
#include "worker/data/test_files.h"
#include "worker/model/held_out.h"

namespace syncline {
namespace {

TEST(ZipfRanksTest, DrawsRanksAsOftenAsTheLawSays) {
  for (const double exponent : {0.5, 1.0, 1.05, 2.0}) {
    constexpr int kCount = 50, kDraws = 200000;
    const ZipfRanks ranks(kCount, exponent);
    SplitMix64 random(7);
    std::map<uint64_t, int> seen;
    for (int i = 0; i < kDraws; ++i) ++seen[ranks.Draw(&random)];
    double all = 0;
    for (int rank = 1; rank <= kCount; ++rank) all += std::pow(rank, -exponent);
    for (int rank = 1; rank <= kCount; ++rank) {
      const double expected = kDraws * std::pow(rank, -exponent) / all;
      EXPECT_NEAR(seen[rank], expected, 5 * std::sqrt(expected) + 1) << exponent << " " << rank;
    }
    EXPECT_EQ(seen.begin()->first, 1u);
    EXPECT_LE(seen.rbegin()->first, 50u);
  }
}

TEST(CriteoLikeTest, IsReadAndHasTheSignalThatItKnows) {
  CriteoLike samples({1, 10000, 1.05, 0.1, 1}, 1);
  std::string text;
  BinaryScores truth;
  std::vector<float> labels;
  for (int i = 0; i < 5000; ++i) {
    const CriteoLike::Sample sample = samples.Append(&text);
    truth.Add({sample.logit}, {sample.label});
    labels.push_back(sample.label);
  }
  EXPECT_GT(*truth.Auc(), 0.75);
  EXPECT_LT(*truth.Auc(), 0.95);
  SYNCLINE_ASSERT_OK_AND_ASSIGN(const auto data, ReadCriteo({TestFile("like.tsv", text)}, {}, {LOGISTIC, 1}));
  ASSERT_EQ(data->size(), 5000u);
  std::vector<uint32_t> all(5000);
  for (uint32_t i = 0; i < 5000; ++i) all[i] = i;
  EXPECT_EQ(TargetsOf(*data, all), labels);
  const std::vector<uint64_t> keys = KeysOf(*data, all);
  std::set<uint64_t> small, large;
  for (size_t i = 0; i < 5000; ++i) {
    small.insert(keys[i * 26]);
    large.insert(keys[i * 26 + 12]);
  }
  EXPECT_EQ(small.size(), 3u + 1);  // and the missing one
  EXPECT_GT(large.size(), 1000u);
}

TEST(CriteoLikeTest, OneSeedIsOneText) {
  std::string texts[3];
  for (int i = 0; i < 3; ++i) CriteoLike({}, i == 2 ? 2 : 1).Append(&texts[i]);
  EXPECT_EQ(texts[0], texts[1]);
  EXPECT_NE(texts[0], texts[2]);
}

TEST(CriteoLikeTest, WithoutSignalLabelsAreNoise) {
  CriteoLike samples({1, 1000, 1.05, 0, 0}, 1);
  std::string text;
  const float logit = samples.Append(&text).logit;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(samples.Append(&text).logit, logit);
}

}  // namespace
}  // namespace syncline
