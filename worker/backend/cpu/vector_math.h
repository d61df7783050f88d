#ifndef SYNCLINE_WORKER_BACKEND_CPU_VECTOR_MATH_H_
#define SYNCLINE_WORKER_BACKEND_CPU_VECTOR_MATH_H_

// exp, tanh and sigmoid without branches or calls, so that loops over them vectorise. All keep NaN.
// Errors measured over all floats of the stated range (vector_math_test), in units in the last
// place (ulp) of the float nearest the true value.

#include <cstdint>

#include "worker/backend/cpu/vectorise.h"

namespace syncline {

inline SYNCLINE_INLINE uint32_t FloatBits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof(bits));
  return bits;
}

inline SYNCLINE_INLINE float BitsFloat(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof(x));
  return x;
}

// NaN stays NaN: each comparison with it is false.
inline SYNCLINE_INLINE float Clamp(float x, float low, float high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// e^x within 1.1 ulp for -87.3 <= x <= 88.3; outside, the value at the nearer end.
// Cephes' reduction: x = n ln 2 + r, |r| <= ln 2 / 2, and a polynomial of degree 6 for e^r.
inline SYNCLINE_INLINE float FastExp(float x) {
  constexpr float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  x = Clamp(x, -87.3f, 88.3f);
  const float shifted = x * 1.44269504088896341f + kRound;
  const float n = shifted - kRound;
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  // The low bits of `shifted` are n; moved into the exponent they make 2^n.
  return p * BitsFloat((FloatBits(shifted) + 127u) << 23);
}

// tanh(x) within 1.5 ulp. Below 0.625 in size Cephes' odd polynomial, else 1 - 2 / (e^2x + 1).
inline SYNCLINE_INLINE float FastTanh(float x) {
  const float size = x < 0.0f ? -x : x;
  const float large = 1.0f - 2.0f / (FastExp(2.0f * (size > 9.1f ? 9.1f : size)) + 1.0f);
  const float square = x * x;
  float p = -5.70498872745e-3f;
  p = p * square + 2.06390887954e-2f;
  p = p * square - 5.37397155531e-2f;
  p = p * square + 1.33314422036e-1f;
  p = p * square - 3.33332819422e-1f;
  const float small = p * square * x + x;
  const float signed_large = x < 0.0f ? -large : large;
  return size < 0.625f ? small : signed_large;
}

// 1 / (1 + e^-x) within 2.5 ulp where that is a normal float above 1e-37.
inline SYNCLINE_INLINE float FastSigmoid(float x) { return 1.0f / (1.0f + FastExp(-x)); }

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_VECTOR_MATH_H_
