#include "tests/gpu/cublas_peak.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>

namespace syncline {
namespace {

// Milliseconds of the fastest of several products.
float BestTime(cublasHandle_t cublas, cublasComputeType_t type, int n, const float* a,
               const float* b, float* c) {
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  float best = 1e30f;
  for (int run = 0; run < 8; ++run) {
    const float one = 1.0f, zero = 0.0f;
    cudaEventRecord(begin);
    const cublasStatus_t status =
        cublasGemmEx(cublas, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, CUDA_R_32F, n, b,
                     CUDA_R_32F, n, &zero, c, CUDA_R_32F, n, type, CUBLAS_GEMM_DEFAULT);
    if (status != CUBLAS_STATUS_SUCCESS) return 0.0f;
    cudaEventRecord(end);
    cudaEventSynchronize(end);
    float milliseconds = 0.0f;
    cudaEventElapsedTime(&milliseconds, begin, end);
    if (run > 0) best = std::min(best, milliseconds);
  }
  cudaEventDestroy(begin);
  cudaEventDestroy(end);
  return best;
}

cublasComputeType_t TypeOf(Products products) {
  switch (products) {
    case Products::kTf32:
      return CUBLAS_COMPUTE_32F_FAST_TF32;
    case Products::kBf16:
      return CUBLAS_COMPUTE_32F_FAST_16BF;
    default:
      return CUBLAS_COMPUTE_32F;
  }
}

}  // namespace

double CublasPeakGflops(int n, Products products) {
  const size_t bytes = sizeof(float) * n * n;
  float *a = nullptr, *b = nullptr, *c = nullptr;
  cublasHandle_t cublas;
  if (cudaMalloc(&a, bytes) != cudaSuccess || cudaMalloc(&b, bytes) != cudaSuccess ||
      cudaMalloc(&c, bytes) != cudaSuccess || cublasCreate(&cublas) != CUBLAS_STATUS_SUCCESS) {
    return 0.0;
  }
  cudaMemset(a, 0x3c, bytes);  // bytes 0x3c make 0.0115: power is drawn as by real data, or nearly
  cudaMemset(b, 0x3c, bytes);
  const double seconds = BestTime(cublas, TypeOf(products), n, a, b, c) / 1e3;
  cublasDestroy(cublas);
  for (float* matrix : {a, b, c}) cudaFree(matrix);
  return seconds > 0 ? 2.0 * n * n * n / seconds / 1e9 : 0.0;
}

}  // namespace syncline
