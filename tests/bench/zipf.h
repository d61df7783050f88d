#ifndef SYNCLINE_TESTS_BENCH_ZIPF_H_
#define SYNCLINE_TESTS_BENCH_ZIPF_H_

#include <cmath>
#include <cstdint>
#include <random>

namespace syncline {

// Ranks 0 … n - 1, the r-th with a chance proportional to (r + 1)^-exponent: by rejection-inversion
// (Hoermann and Derflinger, 1996), so any n takes no memory. `exponent` is above 0 and not 1.
class Zipf {
 public:
  Zipf(uint64_t n, double exponent)
      : exponent_(exponent),
        low_(Integral(1.5) - 1),
        high_(Integral(static_cast<double>(n) + 0.5)),
        n_(n) {}

  uint64_t operator()(std::mt19937_64* random) const {
    std::uniform_real_distribution<double> uniform(low_, high_);
    while (true) {
      const double u = uniform(*random);
      const double x = Inverse(u);
      const double k = std::fmin(std::fmax(std::round(x), 1), static_cast<double>(n_));
      if (u >= Integral(k + 0.5) - std::pow(k, -exponent_)) return static_cast<uint64_t>(k) - 1;
    }
  }

 private:
  double Integral(double x) const { return (std::pow(x, 1 - exponent_) - 1) / (1 - exponent_); }
  double Inverse(double u) const { return std::pow(1 + u * (1 - exponent_), 1 / (1 - exponent_)); }

  const double exponent_;
  const double low_;
  const double high_;
  const uint64_t n_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_BENCH_ZIPF_H_
