#include "server/store/initial_rows.h"

#include <algorithm>
#include <cmath>

#include "common/hash/mix.h"
#include "common/tensor/vectorise.h"

namespace syncline {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

// Element i of the generator that begins with `first`.
SYNCLINE_INLINE inline uint64_t Random(uint64_t first, uint64_t i) {
  return Mix(first + i * kMixStep);
}

// Box and Muller (1958).
double Normal(uint64_t first, uint64_t i) {
  const double radius = std::sqrt(-2 * std::log(1 - UnitInterval(Random(first, 2 * i))));
  return radius * std::cos(kTwoPi * UnitInterval(Random(first, 2 * i + 1)));
}

}  // namespace

InitialRows::InitialRows(const Initializer& settings, uint64_t seed, const std::string& table)
    : kind_(settings.kind()),
      a_(settings.a()),
      b_(settings.b()),
      table_(Mix(seed ^ HashText(table))) {}

void InitialRows::Fill(uint64_t key, size_t dim, float* to) const {
  const uint64_t first = Mix(table_ ^ Mix(key));
  const double a = a_, b = b_;
  switch (kind_) {
    case Initializer::CONSTANT:
      std::fill_n(to, dim, static_cast<float>(a));
      return;
    case Initializer::UNIFORM:
      Vectorise([=]() SYNCLINE_INLINE {
        _Pragma("omp simd") for (size_t i = 0; i < dim; ++i) {
          to[i] = static_cast<float>(a + (b - a) * UnitInterval(Random(first, i)));
        }
      });
      return;
    case Initializer::NORMAL:
      for (size_t i = 0; i < dim; ++i) to[i] = static_cast<float>(a + b * Normal(first, i));
      return;
    default:
      std::fill_n(to, dim, 0.0f);
  }
}

}  // namespace syncline
