#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;

// One warp a row.
__global__ void ForwardKernel(int rows, int cols, float epsilon, const float* x,
                              const float* gamma, const float* beta, float* y, float* mean,
                              float* rstd) {
  const int lane = threadIdx.x % kWarp;
  const int step = gridDim.x * kRowsPerBlock;
  for (int r = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp; r < rows; r += step) {
    const float* in = x + static_cast<size_t>(r) * cols;
    float* out = y + static_cast<size_t>(r) * cols;
    float sum = 0.0f;
    for (int c = lane; c < cols; c += kWarp) sum += in[c];
    const float row_mean = WarpSum(sum) / cols;
    float squares = 0.0f;
    for (int c = lane; c < cols; c += kWarp) squares += (in[c] - row_mean) * (in[c] - row_mean);
    const float row_rstd = 1.0f / sqrtf(WarpSum(squares) / cols + epsilon);
    for (int c = lane; c < cols; c += kWarp) {
      out[c] = (in[c] - row_mean) * row_rstd * gamma[c] + beta[c];
    }
    if (lane == 0) {
      mean[r] = row_mean;
      rstd[r] = row_rstd;
    }
  }
}

// One warp a row. With n = (x - mean) rstd and g = dy gamma, dx = rstd (g - mean(g) - n mean(g n)).
__global__ void InputKernel(int rows, int cols, const float* x, const float* gamma,
                            const float* mean, const float* rstd, const float* dy, float* dx) {
  const int lane = threadIdx.x % kWarp;
  const int step = gridDim.x * kRowsPerBlock;
  for (int r = blockIdx.x * kRowsPerBlock + threadIdx.x / kWarp; r < rows; r += step) {
    const size_t start = static_cast<size_t>(r) * cols;
    float sum = 0.0f, product = 0.0f;
    for (int c = lane; c < cols; c += kWarp) {
      const float g = dy[start + c] * gamma[c];
      sum += g;
      product += g * (x[start + c] - mean[r]) * rstd[r];
    }
    sum = WarpSum(sum) / cols;
    product = WarpSum(product) / cols;
    for (int c = lane; c < cols; c += kWarp) {
      const float normal = (x[start + c] - mean[r]) * rstd[r];
      dx[start + c] = rstd[r] * (dy[start + c] * gamma[c] - sum - normal * product);
    }
  }
}

// One thread a column: neighbours read neighbouring floats. Must run before dx overwrites dy.
__global__ void ParameterKernel(int rows, int cols, bool add, const float* x, const float* mean,
                                const float* rstd, const float* dy, float* dgamma, float* dbeta) {
  const int c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= cols) return;
  float scale = 0.0f, shift = 0.0f;
  for (int r = 0; r < rows; ++r) {
    const size_t i = static_cast<size_t>(r) * cols + c;
    scale += dy[i] * (x[i] - mean[r]) * rstd[r];
    shift += dy[i];
  }
  dgamma[c] = add ? dgamma[c] + scale : scale;
  dbeta[c] = add ? dbeta[c] + shift : shift;
}

int CheckShape(const char* operation, int rows, int cols) {
  if (rows >= 0 && cols >= 0) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: shape [%d,%d] is negative", operation, rows, cols);
}

int Forward(BackendDevice* device, int rows, int cols, float epsilon, const float* x,
            const float* gamma, const float* beta, float* y, float* mean, float* rstd) {
  if (const int code = CheckShape("layer_norm", rows, cols)) return code;
  if (rows == 0 || cols == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  ForwardKernel<<<Blocks(rows, kRowsPerBlock), kThreads, 0, device->compute()>>>(
      rows, cols, epsilon, x, gamma, beta, y, mean, rstd);
  return CheckLaunch("layer_norm");
}

int Backward(BackendDevice* device, int rows, int cols, int add, const float* x,
             const float* gamma, const float* mean, const float* rstd, const float* dy, float* dx, float* dgamma,
             float* dbeta) {
  if (const int code = CheckShape("layer_norm_backward", rows, cols)) return code;
  if (cols == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  constexpr int kColumns = 64;  // a block; small, so that narrow layers fill more of the chip
  ParameterKernel<<<(cols + kColumns - 1) / kColumns, kColumns, 0, device->compute()>>>(
      rows, cols, add != 0, x, mean, rstd, dy, dgamma, dbeta);
  if (const int code = CheckLaunch("layer_norm_backward parameters")) return code;
  if (dx == nullptr || rows == 0) return kBackendOk;
  InputKernel<<<Blocks(rows, kRowsPerBlock), kThreads, 0, device->compute()>>>(
      rows, cols, x, gamma, mean, rstd, dy, dx);
  return CheckLaunch("layer_norm_backward input");
}

}  // namespace

void AddLayerNorm(Backend* table) {
  table->layer_norm = Forward;
  table->layer_norm_backward = Backward;
}

}  // namespace syncline
