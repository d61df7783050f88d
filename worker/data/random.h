#ifndef SYNCLINE_WORKER_DATA_RANDOM_H_
#define SYNCLINE_WORKER_DATA_RANDOM_H_

#include <cstdint>

namespace syncline {

// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every machine and with every
// library, which std:: distributions don't promise. Not thread-safe; not for cryptography.
class SplitMix64 {
 public:
  explicit SplitMix64(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  // Uniform in [0, bound), bound above 0, without bias (Lemire 2019).
  uint32_t Below(uint32_t bound) {
    uint64_t product = (Next() >> 32) * bound;
    const uint32_t threshold = (0u - bound) % bound;
    while (static_cast<uint32_t>(product) < threshold) product = (Next() >> 32) * bound;
    return static_cast<uint32_t>(product >> 32);
  }

  // Uniform in [0, 1), a multiple of 2^-24.
  float Uniform() { return static_cast<float>(Next() >> 40) * 0x1p-24f; }

 private:
  uint64_t state_;
};

// A stream of its own for each (seed, purpose).
inline SplitMix64 RandomStream(uint64_t seed, uint64_t purpose) {
  SplitMix64 of_seed(seed);
  SplitMix64 of_both(of_seed.Next() ^ purpose);
  return SplitMix64(of_both.Next());
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_RANDOM_H_
