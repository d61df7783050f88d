#include "common/optimizer/kernels.h"

#include <cstdint>

namespace syncline {
namespace {

// The bits of 16 floats, and the same at any byte. By hand, as the compiler makes no vectors of
// elements that are not aligned.
typedef uint32_t Bits __attribute__((vector_size(64)));
typedef uint32_t UnalignedBits __attribute__((vector_size(64), aligned(1), may_alias));

}  // namespace

void ScaleInto(float weight, const float* in, float* out, size_t n) {
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < n; ++i) out[i] = weight * in[i];
  });
}

void Add(const float* a, const float* b, float* out, size_t n) {
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < n; ++i) out[i] = a[i] + b[i];
  });
}

void AddScaled(float weight, const float* in, float* out, size_t n) {
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < n; ++i) out[i] += weight * in[i];
  });
}

void ScaleAndClip(float scale, float limit, const float* in, float* out, size_t n) {
  if (limit <= 0) return ScaleInto(scale, in, out, n);
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < n; ++i) {
      const float scaled = scale * in[i];
      const float low = scaled < -limit ? -limit : scaled;
      out[i] = low > limit ? limit : low;
    }
  });
}

double SumOfSquares(const float* values, size_t n) {
  double sum = 0;
  Vectorise([=, &sum]() SYNCLINE_INLINE {
    sum = SumInLanes(n, [=](size_t i) SYNCLINE_INLINE {
      const double x = values[i];
      return x * x;
    });
  });
  return sum;
}

bool AllFinite(const void* values, size_t n) {
  constexpr uint32_t kExponent = 0x7f800000;  // all ones in NaN and infinity alone
  constexpr size_t kLanes = sizeof(Bits) / sizeof(uint32_t);
  const char* const from = static_cast<const char*>(values);
  bool finite = true;
  Vectorise([=, &finite]() SYNCLINE_INLINE {
    Bits found = {};
    size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const Bits bits = *reinterpret_cast<const UnalignedBits*>(from + i * sizeof(uint32_t));
      found |= reinterpret_cast<Bits>((bits & kExponent) == kExponent);
    }
    uint32_t any = 0;
    for (size_t lane = 0; lane < kLanes; ++lane) any |= found[lane];
    for (; i < n; ++i) {
      uint32_t bits;
      __builtin_memcpy(&bits, from + i * sizeof(bits), sizeof(bits));
      any |= (bits & kExponent) == kExponent ? 1u : 0u;
    }
    finite = any == 0;
  });
  return finite;
}

}  // namespace syncline
