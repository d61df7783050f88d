#ifndef SYNCLINE_COMMON_OPTIMIZER_KERNELS_H_
#define SYNCLINE_COMMON_OPTIMIZER_KERNELS_H_

// Vector loops that do not belong to one optimizer, and what those of the optimizers share. Built
// with SAME_BITS_COPTS (copts.bzl): no fused multiply-add, so that SSE, AVX2 and AVX-512 agree in every
// bit. All are pure functions of their arguments. Arrays hold `n` floats and need no alignment.

#include <cstddef>

#include "common/tensor/vectorise.h"

// Before a loop over elements: says that in-place arguments (out == in) are no obstacle.
#define SYNCLINE_ELEMENTWISE _Pragma("omp simd")

namespace syncline {

// out[i] = weight * in[i].
void ScaleInto(float weight, const float* in, float* out, size_t n);

// out[i] = a[i] + b[i]. `out` may be either.
void Add(const float* a, const float* b, float* out, size_t n);

// out[i] += weight * in[i].
void AddScaled(float weight, const float* in, float* out, size_t n);

// out[i] = in[i] * scale, then clamped to [-limit, limit] if limit > 0. NaN stays. `out` may be in.
void ScaleAndClip(float scale, float limit, const float* in, float* out, size_t n);

// The sum of squares, in double precision and an order that depends on `n` alone.
double SumOfSquares(const float* values, size_t n);

// Whether none of `n` floats is NaN or infinity. `values` may lie at any byte.
bool AllFinite(const void* values, size_t n);

// Adds up `term(i)` for i in [0, n) in double precision: eight running sums, so that the additions
// vectorise in an order that is the same everywhere.
template <typename Term>
SYNCLINE_INLINE inline double SumInLanes(size_t n, const Term& term) {
  constexpr size_t kLanes = 8;
  double lanes[kLanes] = {};
  size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (size_t lane = 0; i + lane < n; ++lane) lanes[lane] += term(i + lane);
  double sum = 0;
  for (double lane : lanes) sum += lane;
  return sum;
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_KERNELS_H_
