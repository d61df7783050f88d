#include "worker/model/held_out.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"

namespace syncline {
namespace {

// Every pair of a 1 and a 0.
double AucByPairs(const std::vector<float>& logits, const std::vector<float>& labels) {
  double above = 0, pairs = 0;
  for (size_t i = 0; i < logits.size(); ++i) {
    for (size_t j = 0; j < logits.size(); ++j) {
      if (labels[i] != 1 || labels[j] != 0) continue;
      above += logits[i] > logits[j] ? 1 : logits[i] == logits[j] ? 0.5 : 0;
      ++pairs;
    }
  }
  return above / pairs;
}

TEST(BinaryScoresTest, AgreesWithAllPairs) {
  std::mt19937 random(1);
  for (const int levels : {2, 5, 1000000}) {  // few: many are equal
    std::vector<float> logits, labels;
    double loss = 0;
    BinaryScores whole, first, second;
    for (int i = 0; i < 500; ++i) {
      const float logit = static_cast<float>(random() % levels) / levels * 6 - 3;
      const float label = static_cast<float>(random() % 6) / 6 < (logit + 3) / 6 ? 1 : 0;
      logits.push_back(logit);
      labels.push_back(label);
      const double p = 1 / (1 + std::exp(-double{logit}));
      loss -= std::log(label == 1 ? p : 1 - p) / 500;
      (i % 3 == 0 ? first : second).Add({logit}, {label});
    }
    whole.Add(logits, labels);
    second.Merge(first);
    EXPECT_EQ(second.size(), 500u);
    EXPECT_NEAR(*whole.Auc(), AucByPairs(logits, labels), 1e-12);
    EXPECT_EQ(*second.Auc(), *whole.Auc());
    EXPECT_NEAR(*whole.LogLoss(), loss, 1e-9);
    EXPECT_NEAR(*second.LogLoss(), loss, 1e-9);
  }
}

TEST(BinaryScoresTest, Literal) {
  BinaryScores scores;
  EXPECT_FALSE(scores.Auc().has_value());
  EXPECT_FALSE(scores.LogLoss().has_value());
  scores.Add({1, 2}, {0, 0});
  EXPECT_FALSE(scores.Auc().has_value()) << "there is no 1";
  scores.Add({3}, {1});
  EXPECT_EQ(*scores.Auc(), 1);
  scores.Add({1}, {1});
  EXPECT_EQ(*scores.Auc(), (2 + 0.5) / 4);
  BinaryScores far;
  far.Add({-200, 200}, {1, 1});
  EXPECT_EQ(*far.LogLoss(), 100) << "no infinity";
  far.Add({NAN}, {0});
  EXPECT_FALSE(far.Auc().has_value());
  EXPECT_TRUE(std::isnan(*far.LogLoss()));
}

TEST(SquaredErrorsTest, Literal) {
  SquaredErrors errors, others;
  EXPECT_FALSE(errors.Rmse().has_value());
  errors.Add({1, 2}, {1, 5});
  others.Add({3}, {0});
  errors.Merge(others);
  EXPECT_DOUBLE_EQ(*errors.Rmse(), std::sqrt(6.0));
}

}  // namespace
}  // namespace syncline
