#include <algorithm>
#include <cmath>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/strided_gemm.h"
#include "worker/backend/cpu/vector_math.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int CheckShape(const char* operation, int rows, int positions, int heads, int width) {
  if (rows >= 0 && positions >= 1 && heads >= 1 && width >= heads && width % heads == 0) return kBackendOk;
  return BackendFail(kBackendInvalid,
                     "%s: [%d,%d,%d] must be at least [0,1,1], and its width a multiple of %d heads",
                     operation, rows, positions, width, heads);
}

// Row t of the weights: softmax over its first t + 1 elements, 0 behind them.
void SoftmaxUpTo(int t, int positions, float* row) {
  const float max = *std::max_element(row, row + t + 1);
  Vectorise([=]() SYNCLINE_INLINE {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int s = 0; s <= t; ++s) {
      row[s] = FastExp(row[s] - max);
      sum += row[s];
    }
    const float factor = 1.0f / sum;
    for (int s = 0; s <= t; ++s) row[s] *= factor;
  });
  std::fill(row + t + 1, row + positions, 0.0f);
}

// Row t of the gradient of what the softmax got: weights (d - sum(weights d)), times `scale`; 0 behind t.
void SoftmaxBackward(int t, int positions, float scale, const float* weights, float* d) {
  Vectorise([=]() SYNCLINE_INLINE {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int s = 0; s <= t; ++s) sum += weights[s] * d[s];
    for (int s = 0; s <= t; ++s) d[s] = scale * weights[s] * (d[s] - sum);
  });
  std::fill(d + t + 1, d + positions, 0.0f);
}

// Where a head's queries, keys, values and weights begin.
struct Head {
  Head(size_t r, size_t h, size_t positions, size_t heads, size_t width)
      : qkv(r * positions * 3 * width + h * (width / heads)),
        y(r * positions * width + h * (width / heads)),
        weights((r * heads + h) * positions * positions) {}
  const size_t qkv, y, weights;
};

int Attention(BackendDevice*, int rows, int positions, int heads, int width, const float* qkv,
              float* weights, float* y) {
  if (const int code = CheckShape("attention", rows, positions, heads, width)) return code;
  const int d = width / heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  for (int r = 0; r < rows; ++r) {
    for (int h = 0; h < heads; ++h) {
      const Head head(r, h, positions, heads, width);
      const float* const q = qkv + head.qkv;
      float* const w = weights + head.weights;
      StridedGemm(false, true, positions, positions, d, scale, {q, 3 * width}, {q + width, 3 * width}, 0.0f,
                  {w, positions});
      for (int t = 0; t < positions; ++t) SoftmaxUpTo(t, positions, w + static_cast<size_t>(t) * positions);
      StridedGemm(false, false, positions, d, positions, 1.0f, {w, positions}, {q + 2 * width, 3 * width},
                  0.0f, {y + head.y, width});
    }
  }
  return kBackendOk;
}

int AttentionBackward(BackendDevice*, int rows, int positions, int heads, int width, const float* qkv,
                      const float* weights, const float* dy, float* scratch, float* dqkv) {
  if (const int code = CheckShape("attention_backward", rows, positions, heads, width)) return code;
  const int d = width / heads;
  const float scale = 1.0f / std::sqrt(static_cast<float>(d));
  for (int r = 0; r < rows; ++r) {
    for (int h = 0; h < heads; ++h) {
      const Head head(r, h, positions, heads, width);
      const float* const q = qkv + head.qkv;
      const float* const w = weights + head.weights;
      const Strided<const float> slope = {dy + head.y, width};
      float* const dq = dqkv + head.qkv;
      float* const ds = scratch + head.weights;
      // Values, then what the softmax got, then queries and keys.
      StridedGemm(true, false, positions, d, positions, 1.0f, {w, positions}, slope, 0.0f,
                  {dq + 2 * width, 3 * width});
      StridedGemm(false, true, positions, positions, d, 1.0f, slope, {q + 2 * width, 3 * width}, 0.0f,
                  {ds, positions});
      for (int t = 0; t < positions; ++t) {
        const size_t row = static_cast<size_t>(t) * positions;
        SoftmaxBackward(t, positions, scale, w + row, ds + row);
      }
      StridedGemm(false, false, positions, d, positions, 1.0f, {ds, positions}, {q + width, 3 * width}, 0.0f,
                  {dq, 3 * width});
      StridedGemm(true, false, positions, d, positions, 1.0f, {ds, positions}, {q, 3 * width}, 0.0f,
                  {dq + width, 3 * width});
    }
  }
  return kBackendOk;
}

}  // namespace

void AddAttention(Backend* table) {
  table->attention = Attention;
  table->attention_backward = AttentionBackward;
}

}  // namespace syncline
