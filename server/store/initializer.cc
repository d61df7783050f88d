#include "server/store/initializer.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace syncline {
namespace {

constexpr double kTwoPi = 6.283185307179586476925;

uint64_t Mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// FNV-1a.
uint64_t Hash(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

// Uniform in [0, 1) with 53 bits.
double Uniform(uint64_t key, uint64_t counter) {
  return static_cast<double>(Mix(key ^ Mix(counter)) >> 11) * 0x1p-53;
}

double Normal(uint64_t key, uint64_t element) {
  const double radius = std::sqrt(-2 * std::log(1 - Uniform(key, 2 * element)));
  return radius * std::cos(kTwoPi * Uniform(key, 2 * element + 1));
}

}  // namespace

void Initialize(const TensorSpec& tensor, uint64_t seed, uint64_t begin, size_t n, float* to) {
  const double a = tensor.initializer().a(), b = tensor.initializer().b();
  const uint64_t key = Mix(seed ^ Hash(tensor.name()));
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
