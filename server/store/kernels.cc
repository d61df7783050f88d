#include "server/store/kernels.h"

#include <cstdint>

namespace syncline {

void ScaleInto(float weight, const float* in, float* out, size_t n) {
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < n; ++i) out[i] = weight * in[i];
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
  const char* const from = static_cast<const char*>(values);
  uint32_t bad = 0;
  Vectorise([=, &bad]() SYNCLINE_INLINE {
    uint32_t found = 0;
#pragma omp simd reduction(| : found)
    for (size_t i = 0; i < n; ++i) {
      uint32_t bits;
      __builtin_memcpy(&bits, from + i * sizeof(bits), sizeof(bits));
      found |= (bits & 0x7f800000u) == 0x7f800000u ? 1u : 0u;
    }
    bad = found;
  });
  return bad == 0;
}

}  // namespace syncline
