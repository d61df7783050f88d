#include "server/store/initializer.h"

#include <algorithm>
#include <cmath>

#include "common/hash/mix.h"

namespace syncline {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

double Uniform(uint64_t key, uint64_t counter) { return UnitInterval(Mix(key ^ Mix(counter))); }

double Normal(uint64_t key, uint64_t element) {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(key, 2 * element)));
  return radius * std::cos(kTwoPi * Uniform(key, 2 * element + 1));
}

}  // namespace

void Initialize(const TensorSpec& tensor, uint64_t seed, uint64_t begin, size_t n, float* to) {
  const double a = tensor.initializer().a(), b = tensor.initializer().b();
  const uint64_t key = Mix(seed ^ HashText(tensor.name()));
  switch (tensor.initializer().kind()) {
    case Initializer::CONSTANT:
      std::fill_n(to, n, tensor.initializer().a());
      return;
    case Initializer::UNIFORM:
      for (size_t i = 0; i < n; ++i) to[i] = a + (b - a) * Uniform(key, begin + i);
      return;
    case Initializer::NORMAL:
      for (size_t i = 0; i < n; ++i) to[i] = a + b * Normal(key, begin + i);
      return;
    default:
      std::fill_n(to, n, 0.0f);
  }
}

}  // namespace syncline
