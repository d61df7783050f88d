#ifndef SYNCLINE_TESTS_BENCH_CRITEO_LIKE_H_
#define SYNCLINE_TESTS_BENCH_CRITEO_LIKE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/data/random.h"

namespace syncline {

// Draws ranks from 1 to `count` with probabilities as 1 / rank^exponent, exponent above 0, in constant time: by
// rejection and inversion (Hörmann and Derflinger 1996).
class ZipfRanks {
 public:
  ZipfRanks(uint64_t count, double exponent);
  uint64_t Draw(SplitMix64* random) const;

 private:
  double Integral(double x) const;
  double Inverse(double x) const;

  double exponent_, first_, last_, gap_;
  uint64_t count_;
};

struct CriteoLikeOptions {
  uint64_t seed = 1;
  uint64_t keys = 1000000;  // of the largest fields; the smallest have 3
  double zipf = 1.05;
  double missing = 0.05;  // share of numbers and categories that are left out
  double signal = 1;      // standard deviations are multiplied by it; 0: labels are noise
};

// Samples in the shape of Criteo's click logs (worker/data/criteo.h) with a known signal: the log odds of a label are
// linear in log(1 + number), plus a weight for each key of each category, plus the product of factors of the keys of
// four pairs of categories, which no linear model can see. Weights follow from the seed and the key, so that samples
// drawn with another `stream` are of the same world. Not thread-safe.
class CriteoLike {
 public:
  CriteoLike(const CriteoLikeOptions& options, uint64_t stream);

  struct Sample {
    float logit = 0;  // what nobody can know better
    float label = 0;
  };
  // Appends a line.
  Sample Append(std::string* text);

 private:
  // Each gives its part of the log odds.
  double AppendNumbers(std::string* text);
  double AppendCategories(std::string* text);

  const CriteoLikeOptions options_;
  SplitMix64 random_;
  std::vector<ZipfRanks> ranks_;  // by category
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_CRITEO_LIKE_H_
