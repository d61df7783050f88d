#ifndef SYNCLINE_COMMON_HASH_MIX_H_
#define SYNCLINE_COMMON_HASH_MIX_H_

#include <cstdint>
#include <string>

namespace syncline {

// The step and output function of SplitMix64 (Steele, Lea and Flood 2014): a permutation of 64 bits
// that changes each output bit with every input bit.
inline constexpr uint64_t kMixStep = 0x9e3779b97f4a7c15u;

__attribute__((always_inline)) inline uint64_t Mix(uint64_t x) {
  x += kMixStep;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// FNV-1a.
inline uint64_t HashText(const std::string& text) {
  uint64_t hash = 0xcbf29ce484222325u;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3u;
  return hash;
}

// Uniform in [0, 1), with 53 bits of `random`.
__attribute__((always_inline)) inline double UnitInterval(uint64_t random) {
  return static_cast<double>(static_cast<int64_t>(random >> 11)) * 0x1p-53;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_HASH_MIX_H_
