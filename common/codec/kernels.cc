#include "common/codec/kernels.h"

#include <immintrin.h>

#include <algorithm>

#include "common/optimizer/kernels.h"
#include "common/tensor/vectorise.h"

namespace syncline {
namespace {

template <typename To, typename From>
SYNCLINE_INLINE inline To BitsAs(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  __builtin_memcpy(&to, &from, sizeof(to));
  return to;
}

constexpr uint32_t kInfinity = 255u << 23;

// Branch-free, so that the loop vectorises: all three cases are computed and one is chosen.
SYNCLINE_INLINE inline uint16_t HalfOf(float value) {
  constexpr uint32_t kTooLarge = 143u << 23;  // 2^16, which rounds past the largest half
  constexpr uint32_t kSmallestNormal = 113u << 23;
  constexpr uint32_t kSubnormalMagic = 126u << 23;  // adding 0.5 shifts the mantissa into place
  const uint32_t bits = BitsAs<uint32_t>(value);
  const uint32_t size = bits & 0x7fffffffu;
  const uint32_t normal = (size + 0xc8000fffu + ((size >> 13) & 1u)) >> 13;
  const uint32_t subnormal =
      BitsAs<uint32_t>(BitsAs<float>(size) + BitsAs<float>(kSubnormalMagic)) - kSubnormalMagic;
  uint32_t half = size < kSmallestNormal ? subnormal : normal;
  half = size >= kTooLarge || half > 0x7bffu ? 0x7bffu : half;
  half = size == kInfinity ? 0x7c00u : half;
  half = size > kInfinity ? 0x7e00u : half;
  return static_cast<uint16_t>(half | (bits >> 16 & 0x8000u));
}

SYNCLINE_INLINE inline float FloatOf(uint16_t half) {
  constexpr uint32_t kSubnormalMagic = 113u << 23;
  const uint32_t size = (half & 0x7fffu) << 13;
  const uint32_t exponent = size & (0x7c00u << 13);
  const uint32_t normal = size + (112u << 23);
  const uint32_t special = normal + (112u << 23);
  const uint32_t subnormal =
      BitsAs<uint32_t>(BitsAs<float>(normal + (1u << 23)) - BitsAs<float>(kSubnormalMagic));
  uint32_t bits = exponent == 0 ? subnormal : normal;
  bits = exponent == (0x7c00u << 13) ? special : bits;
  return BitsAs<float>(bits | (half & 0x8000u) << 16);
}

// Processors convert halves to the same floats, but for NaN that signals, which they make quiet. Every
// one with AVX2 has F16C. What is left at the end is done as above.
__attribute__((target("avx2,f16c"))) void FromHalfF16c(const uint16_t* in, size_t n, float* out) {
  size_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  for (; i < n; ++i) out[i] = FloatOf(in[i]);
}

SYNCLINE_INLINE inline uint16_t BfloatOf(float value) {
  const uint32_t bits = BitsAs<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t nan = (bits >> 16) | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > kInfinity ? nan : rounded);
}

// A permutation of 32 bits that mixes well (Wellons, hash-prospector, "lowbias32").
SYNCLINE_INLINE inline uint32_t Mix(uint32_t x) {
  x = (x ^ (x >> 16)) * 0x7feb352du;
  x = (x ^ (x >> 15)) * 0x846ca68bu;
  return x ^ (x >> 16);
}

}  // namespace

void ToHalf(const float* in, size_t n, uint16_t* out) {
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) out[i] = HalfOf(in[i]);
  });
}

void FromHalf(const uint16_t* in, size_t n, float* out) {
  if (ThisInstructionSet() != InstructionSet::kBase) return FromHalfF16c(in, n, out);
  for (size_t i = 0; i < n; ++i) out[i] = FloatOf(in[i]);
}

void ToBfloat(const float* in, size_t n, uint16_t* out) {
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) out[i] = BfloatOf(in[i]);
  });
}

void FromBfloat(const uint16_t* in, size_t n, float* out) {
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) {
      out[i] = BitsAs<float>(static_cast<uint32_t>(in[i]) << 16);
    }
  });
}

float ToInt8(const float* in, size_t n, uint64_t seed, uint64_t first, int8_t* out) {
  uint32_t largest = 0;
  Vectorise([=, &largest]() SYNCLINE_INLINE {
    uint32_t most = 0;
    _Pragma("omp simd reduction(max : most)") for (size_t i = 0; i < n; ++i) {
      most = std::max(most, BitsAs<uint32_t>(in[i]) & 0x7fffffffu);
    }
    largest = most;
  });
  // A scale of NaN says that something in the block is not finite.
  const float scale =
      largest >= kInfinity ? BitsAs<float>(0x7fc00000u) : BitsAs<float>(largest) / 127;
  const float inverse = scale > 0 ? 1 / scale : 0;
  const uint32_t key = Mix(static_cast<uint32_t>(seed) ^ Mix(static_cast<uint32_t>(seed >> 32)));
  const uint32_t begin = static_cast<uint32_t>(first);
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) {
      // In [0, 1), with 24 bits.
      const float chance =
          static_cast<float>(static_cast<int32_t>(Mix((begin + static_cast<uint32_t>(i)) ^ key) >> 8)) *
          (1.0f / (1 << 24));
      // From [0, 255): a conversion to int cuts what is positive downwards.
      const float shifted = in[i] * inverse + 127.0f + chance;
      const float positive = shifted > 0 ? shifted : 0.0f;  // NaN too
      const int32_t whole = static_cast<int32_t>(positive < 254 ? positive : 254.0f);
      out[i] = static_cast<int8_t>(whole - 127);
    }
  });
  return scale;
}

void ToTopk(const float* in, size_t n, size_t k, uint16_t* places, float* values) {
  // The size of the k-th, bit by bit from the top: sizes order as their bits do. NaN is the largest.
  uint32_t limit = 0;
  Vectorise([=, &limit]() SYNCLINE_INLINE {
    for (int bit = 30; bit >= 0; --bit) {
      const uint32_t higher = limit | 1u << bit;
      uint32_t reach = 0;
      _Pragma("omp simd reduction(+ : reach)") for (size_t i = 0; i < n; ++i) {
        reach += (BitsAs<uint32_t>(in[i]) & 0x7fffffffu) >= higher ? 1 : 0;
      }
      limit = reach >= k ? higher : limit;
    }
  });
  size_t above = 0;
  for (size_t i = 0; i < n; ++i) above += (BitsAs<uint32_t>(in[i]) & 0x7fffffffu) > limit;
  size_t equal = k - above;  // so many of those at the limit
  size_t found = 0;
  for (size_t i = 0; i < n && found < k; ++i) {
    const uint32_t size = BitsAs<uint32_t>(in[i]) & 0x7fffffffu;
    if (size < limit || (size == limit && equal == 0)) continue;
    equal -= size == limit;
    places[found] = static_cast<uint16_t>(i);
    values[found++] = in[i];
  }
}

float ToOneBit(const float* in, size_t n, uint8_t* bits) {
  double sum = 0;
  Vectorise([=, &sum]() SYNCLINE_INLINE {
    sum = SumInLanes(n, [in](size_t i) SYNCLINE_INLINE {
      return double{BitsAs<float>(BitsAs<uint32_t>(in[i]) & 0x7fffffffu)};
    });
  });
  for (size_t byte = 0; byte * 8 < n; ++byte) {
    uint32_t packed = 0;
    for (size_t i = byte * 8; i < std::min(n, byte * 8 + 8); ++i) {
      packed |= (BitsAs<uint32_t>(in[i]) >> 31) << (i % 8);
    }
    bits[byte] = static_cast<uint8_t>(packed);
  }
  const auto mean = static_cast<float>(sum / static_cast<double>(n));
  return BitsAs<uint32_t>(mean) >= kInfinity ? BitsAs<float>(0x7fc00000u) : mean;
}

void FromOneBit(float size, const uint8_t* bits, size_t n, float* out) {
  const uint32_t positive = BitsAs<uint32_t>(size);
  Vectorise([=]() SYNCLINE_INLINE {
    // A word at a time, so that the shifts of its bits are one instruction.
    constexpr size_t kWord = 32;
    size_t begin = 0;
    for (; begin + kWord <= n; begin += kWord) {
      uint32_t word;
      __builtin_memcpy(&word, bits + begin / 8, sizeof(word));
      _Pragma("omp simd") for (uint32_t i = 0; i < kWord; ++i) {
        out[begin + i] = BitsAs<float>(positive ^ (word >> i) << 31);
      }
    }
    for (; begin < n; ++begin) {
      const uint32_t negative = bits[begin / 8] >> (begin % 8) & 1u;
      out[begin] = BitsAs<float>(positive ^ negative << 31);
    }
  });
}

void FromInt8(float scale, const int8_t* in, size_t n, float* out) {
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) {
      out[i] = scale * static_cast<float>(in[i]);
    }
  });
}

}  // namespace syncline
