#include <algorithm>
#include <cmath>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int Forward(BackendDevice*, int rows, int cols, float epsilon, const float* x, const float* gamma,
            const float* beta, float* y, float* mean, float* rstd) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "layer_norm: shape [%d,%d] is negative", rows, cols);
  }
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* in = x + static_cast<size_t>(r) * cols;
      float* out = y + static_cast<size_t>(r) * cols;
      float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
      for (int c = 0; c < cols; ++c) sum += in[c];
      const float row_mean = sum / cols;
      float squares = 0.0f;
#pragma omp simd reduction(+ : squares)
      for (int c = 0; c < cols; ++c) squares += (in[c] - row_mean) * (in[c] - row_mean);
      const float row_rstd = 1.0f / std::sqrt(squares / cols + epsilon);
      for (int c = 0; c < cols; ++c) {
        out[c] = (in[c] - row_mean) * row_rstd * gamma[c] + beta[c];
      }
      mean[r] = row_mean;
      rstd[r] = row_rstd;
    }
  });
  return kBackendOk;
}

// With n = (x - mean) rstd and g = dy gamma, a row's dx = rstd (g - mean(g) - n mean(g n)).
int Backward(BackendDevice*, int rows, int cols, int add, const float* x, const float* gamma,
             const float* mean, const float* rstd, const float* dy, float* dx, float* dgamma,
             float* dbeta) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "layer_norm_backward: shape [%d,%d] is negative", rows,
                       cols);
  }
  if (!add) {
    std::fill_n(dgamma, cols, 0.0f);
    std::fill_n(dbeta, cols, 0.0f);
  }
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const size_t start = static_cast<size_t>(r) * cols;
      const float* in = x + start;
      const float* slope = dy + start;
      const float row_mean = mean[r];
      const float row_rstd = rstd[r];
      float sum = 0.0f;
      float product = 0.0f;
#pragma omp simd reduction(+ : sum, product)
      for (int c = 0; c < cols; ++c) {
        const float normal = (in[c] - row_mean) * row_rstd;
        const float g = slope[c] * gamma[c];
        sum += g;
        product += g * normal;
        dgamma[c] += slope[c] * normal;
        dbeta[c] += slope[c];
      }
      if (dx == nullptr) continue;
      sum /= cols;
      product /= cols;
      for (int c = 0; c < cols; ++c) {
        const float normal = (in[c] - row_mean) * row_rstd;
        dx[start + c] = row_rstd * (slope[c] * gamma[c] - sum - normal * product);
      }
    }
  });
  return kBackendOk;
}

}  // namespace

void AddLayerNorm(Backend* table) {
  table->layer_norm = Forward;
  table->layer_norm_backward = Backward;
}

}  // namespace syncline
