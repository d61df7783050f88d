#include "tests/gpu/cublas_peak.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>

namespace syncline {
namespace {

// Of inputs, and what products may round them to.
struct Format {
  cudaDataType inputs;
  cublasComputeType_t products;
};

Format FormatOf(Products products) {
  switch (products) {
    case Products::kTf32:
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F_FAST_TF32};
    case Products::kBf16:
      return {CUDA_R_16BF, CUBLAS_COMPUTE_32F};
    default:
      return {CUDA_R_32F, CUBLAS_COMPUTE_32F};
  }
}

// Milliseconds of the fastest of several products.
float BestTime(cublasHandle_t cublas, const Format& format, int n, const void* a, const void* b, float* c) {
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  float best = 1e30f;
  for (int run = 0; run < 8; ++run) {
    const float one = 1.0f, zero = 0.0f;
    cudaEventRecord(begin);
    const cublasStatus_t status =
        cublasGemmEx(cublas, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, format.inputs, n, b,
                     format.inputs, n, &zero, c, CUDA_R_32F, n, format.products, CUBLAS_GEMM_DEFAULT);
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

}  // namespace

double CublasPeakGflops(int n, Products products) {
  const size_t bytes = sizeof(float) * n * n;
  float *a = nullptr, *b = nullptr, *c = nullptr;
  cublasHandle_t cublas;
  if (cudaMalloc(&a, bytes) != cudaSuccess || cudaMalloc(&b, bytes) != cudaSuccess ||
      cudaMalloc(&c, bytes) != cudaSuccess || cublasCreate(&cublas) != CUBLAS_STATUS_SUCCESS) {
    return 0.0;
  }
  cudaMemset(a, 0x3c, bytes);  // 0.0115 as a float, or two bfloat16s: power is drawn as by real data, or nearly
  cudaMemset(b, 0x3c, bytes);
  const double seconds = BestTime(cublas, FormatOf(products), n, a, b, c) / 1e3;
  cublasDestroy(cublas);
  for (float* matrix : {a, b, c}) cudaFree(matrix);
  return seconds > 0 ? 2.0 * n * n * n / seconds / 1e9 : 0.0;
}

}  // namespace syncline
