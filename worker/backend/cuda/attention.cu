#include <math.h>

#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

constexpr int kRowsPerBlock = kThreads / kWarp;

// Row i of the weights, [*, positions], is that of position i % positions. One warp a row.
__global__ void SoftmaxKernel(size_t rows, int positions, float* weights) {
  const int lane = threadIdx.x % kWarp;
  const size_t step = static_cast<size_t>(gridDim.x) * kRowsPerBlock;
  for (size_t i = static_cast<size_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp; i < rows; i += step) {
    float* const row = weights + i * positions;
    const int t = i % positions;
    float max = -INFINITY;
    for (int s = lane; s <= t; s += kWarp) max = fmaxf(max, row[s]);
    max = WarpMax(max);
    float sum = 0.0f;
    for (int s = lane; s <= t; s += kWarp) sum += expf(row[s] - max);
    const float factor = 1.0f / WarpSum(sum);
    for (int s = lane; s < positions; s += kWarp) row[s] = s <= t ? expf(row[s] - max) * factor : 0.0f;
  }
}

__global__ void SoftmaxBackwardKernel(size_t rows, int positions, float scale, const float* weights, float* d) {
  const int lane = threadIdx.x % kWarp;
  const size_t step = static_cast<size_t>(gridDim.x) * kRowsPerBlock;
  for (size_t i = static_cast<size_t>(blockIdx.x) * kRowsPerBlock + threadIdx.x / kWarp; i < rows; i += step) {
    const float* const w = weights + i * positions;
    float* const row = d + i * positions;
    const int t = i % positions;
    float sum = 0.0f;
    for (int s = lane; s <= t; s += kWarp) sum += w[s] * row[s];
    sum = WarpSum(sum);
    for (int s = lane; s < positions; s += kWarp) row[s] = s <= t ? scale * w[s] * (row[s] - sum) : 0.0f;
  }
}

// Matrices of one head in all rows of a batch, `apart` floats from one row's to the next.
struct Matrices {
  const float* data;
  int stride;
  long long apart;
};

// C = alpha op(A) op(B) for each row of the batch; see gemm.cu about the order.
int Products(BackendDevice* device, int batch, bool transpose_a, bool transpose_b, int m, int n, int k,
             float alpha, const Matrices& a, const Matrices& b, const Matrices& c) {
  const float beta = 0.0f;
  const cublasStatus_t status = cublasGemmStridedBatchedEx(
      device->cublas, transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k,
      &alpha, b.data, CUDA_R_32F, b.stride, b.apart, a.data, CUDA_R_32F, a.stride, a.apart, &beta,
      const_cast<float*>(c.data), CUDA_R_32F, c.stride, c.apart, batch, device->products, CUBLAS_GEMM_DEFAULT);
  if (status == CUBLAS_STATUS_SUCCESS) return kBackendOk;
  return BackendFail(kBackendFailed, "cublasGemmStridedBatchedEx: %s", cublasGetStatusString(status));
}

int CheckShape(const char* operation, int rows, int positions, int heads, int width) {
  if (rows >= 0 && positions >= 1 && heads >= 1 && width >= heads && width % heads == 0) return kBackendOk;
  return BackendFail(kBackendInvalid,
                     "%s: [%d,%d,%d] must be at least [0,1,1], and its width a multiple of %d heads",
                     operation, rows, positions, width, heads);
}

// The matrices of head h.
struct Head {
  Head(int h, int positions, int heads, int width, const float* qkv, const float* weights, const float* y)
      : q{qkv + h * (width / heads), 3 * width, 3LL * positions * width},
        k{q.data + width, q.stride, q.apart},
        v{q.data + 2 * width, q.stride, q.apart},
        w{weights + static_cast<size_t>(h) * positions * positions, positions,
          static_cast<long long>(heads) * positions * positions},
        y{y + h * (width / heads), width, static_cast<long long>(positions) * width} {}
  const Matrices q, k, v, w, y;
};

int Attention(BackendDevice* device, int rows, int positions, int heads, int width, const float* qkv,
              float* weights, float* y) {
  if (const int code = CheckShape("attention", rows, positions, heads, width)) return code;
  if (rows == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const int d = width / heads;
  for (int h = 0; h < heads; ++h) {
    const Head head(h, positions, heads, width, qkv, weights, y);
    if (const int code = Products(device, rows, false, true, positions, positions, d, 1.0f / sqrtf(d), head.q,
                                  head.k, head.w)) {
      return code;
    }
  }
  const size_t all = static_cast<size_t>(rows) * heads * positions;
  SoftmaxKernel<<<Blocks(all, kRowsPerBlock), kThreads, 0, device->compute()>>>(all, positions, weights);
  if (const int code = CheckLaunch("attention softmax")) return code;
  for (int h = 0; h < heads; ++h) {
    const Head head(h, positions, heads, width, qkv, weights, y);
    if (const int code =
            Products(device, rows, false, false, positions, d, positions, 1.0f, head.w, head.v, head.y)) {
      return code;
    }
  }
  return kBackendOk;
}

int AttentionBackward(BackendDevice* device, int rows, int positions, int heads, int width, const float* qkv,
                      const float* weights, const float* dy, float* scratch, float* dqkv) {
  if (const int code = CheckShape("attention_backward", rows, positions, heads, width)) return code;
  if (rows == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const int d = width / heads;
  for (int h = 0; h < heads; ++h) {
    const Head head(h, positions, heads, width, qkv, weights, dy);
    const Head gradient(h, positions, heads, width, dqkv, scratch, dy);
    if (const int code =
            Products(device, rows, true, false, positions, d, positions, 1.0f, head.w, head.y, gradient.v)) {
      return code;
    }
    if (const int code =
            Products(device, rows, false, true, positions, positions, d, 1.0f, head.y, head.v, gradient.w)) {
      return code;
    }
  }
  const size_t all = static_cast<size_t>(rows) * heads * positions;
  SoftmaxBackwardKernel<<<Blocks(all, kRowsPerBlock), kThreads, 0, device->compute()>>>(
      all, positions, 1.0f / sqrtf(d), weights, scratch);
  if (const int code = CheckLaunch("attention_backward softmax")) return code;
  for (int h = 0; h < heads; ++h) {
    const Head head(h, positions, heads, width, qkv, weights, dy);
    const Head gradient(h, positions, heads, width, dqkv, scratch, dy);
    if (const int code =
            Products(device, rows, false, false, positions, d, positions, 1.0f, gradient.w, head.k, gradient.q)) {
      return code;
    }
    if (const int code =
            Products(device, rows, true, false, positions, d, positions, 1.0f, gradient.w, head.q, gradient.k)) {
      return code;
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
