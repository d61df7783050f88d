#include "tests/bench/criteo_like.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace syncline {
namespace {

constexpr int kNumbers = 13;
constexpr int kCategories = 26;
constexpr int kPairs = 4;
constexpr int kFactors = 4;
constexpr double kBias = -1.2;

// Standard normal, from whatever a number is to depend on.
double Normal(uint64_t seed, uint64_t a, uint64_t b) {
  SplitMix64 random = RandomStream(seed ^ a * 0x9e3779b97f4a7c15u, b);
  const double u = random.Uniform() + 0x1p-25, v = random.Uniform();
  return std::sqrt(-2 * std::log(u)) * std::cos(2 * M_PI * v);
}

}  // namespace

ZipfRanks::ZipfRanks(uint64_t count, double exponent)
    : exponent_(exponent),
      first_(0),
      last_(0),
      gap_(0),
      count_(count) {
  first_ = Integral(1.5) - 1;
  last_ = Integral(static_cast<double>(count) + 0.5);
  gap_ = 2 - Inverse(Integral(2.5) - std::pow(2, -exponent));
}

// Of x^-exponent, without loss near exponent 1.
double ZipfRanks::Integral(double x) const {
  const double log = std::log(x), scaled = (1 - exponent_) * log;
  return std::fabs(scaled) < 1e-8 ? log : std::expm1(scaled) / (1 - exponent_);
}

double ZipfRanks::Inverse(double x) const {
  const double scaled = x * (1 - exponent_);
  return std::exp(std::fabs(scaled) < 1e-8 ? x : std::log1p(scaled) / (1 - exponent_));
}

uint64_t ZipfRanks::Draw(SplitMix64* random) const {
  while (true) {
    const double u = last_ + (static_cast<double>(random->Next() >> 11) * 0x1p-53) * (first_ - last_);
    const double x = Inverse(u);
    const double rank = std::min(std::max(std::round(x), 1.0), static_cast<double>(count_));
    if (rank - x <= gap_ || u >= Integral(rank + 0.5) - std::pow(rank, -exponent_)) {
      return static_cast<uint64_t>(rank);
    }
  }
}

CriteoLike::CriteoLike(const CriteoLikeOptions& options, uint64_t stream)
    : options_(options), random_(RandomStream(options.seed, stream)) {
  for (int f = 0; f < kCategories; ++f) {
    // From 3 to `keys`, evenly by their logarithm.
    const double share = (f % 13) / 12.0;
    const double keys = std::exp(std::log(3.0) + share * (std::log(static_cast<double>(options.keys)) - std::log(3.0)));
    ranks_.emplace_back(static_cast<uint64_t>(std::llround(keys)), options.zipf);
  }
}

double CriteoLike::AppendNumbers(std::string* text) {
  double logit = 0;
  for (int i = 0; i < kNumbers; ++i) {
    *text += '\t';
    if (random_.Uniform() < options_.missing) continue;
    const int number = static_cast<int>(std::exp(random_.Uniform() * (2.0 + 0.4 * i)) - 1);
    absl::StrAppend(text, number);
    logit += 0.1 * Normal(options_.seed, 100, static_cast<uint64_t>(i)) * std::log1p(number);
  }
  return logit;
}

double CriteoLike::AppendCategories(std::string* text) {
  double logit = 0;
  uint64_t keys[kCategories] = {};  // 0: missing
  for (int f = 0; f < kCategories; ++f) {
    *text += '\t';
    if (random_.Uniform() < options_.missing) continue;
    keys[f] = ranks_[f].Draw(&random_);
    // As Criteo's, 32 bits in hexadecimal: an odd factor keeps different ranks different.
    absl::StrAppendFormat(text, "%08x", static_cast<uint32_t>(keys[f] * 2654435761u));
    logit += 0.2 * Normal(options_.seed, 200 + f, keys[f]);
  }
  for (int p = 0; p < kPairs; ++p) {
    const int f = 3 * p + 2, g = f + 13;  // of the same sizes
    if (keys[f] == 0 || keys[g] == 0) continue;
    for (int c = 0; c < kFactors; ++c) {
      logit += 0.3 * Normal(options_.seed, 1000 + f * kFactors + c, keys[f]) *
               Normal(options_.seed, 1000 + g * kFactors + c, keys[g]);
    }
  }
  return logit;
}

CriteoLike::Sample CriteoLike::Append(std::string* text) {
  const size_t begin = text->size();
  *text += '0';
  const double numbers = AppendNumbers(text);
  const double logit = kBias + options_.signal * (numbers + AppendCategories(text));
  *text += '\n';
  const bool one = random_.Uniform() < 1 / (1 + std::exp(-logit));
  if (one) (*text)[begin] = '1';
  return {static_cast<float>(logit), one ? 1.0f : 0.0f};
}

}  // namespace syncline
