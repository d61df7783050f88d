#include "tests/gpu/cublas_peak.h"

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include <algorithm>

namespace syncline {
namespace {

// Milliseconds of the fastest of several products.
float BestTime(cublasHandle_t cublas, int n, const float* a, const float* b, float* c) {
  cudaEvent_t begin, end;
  cudaEventCreate(&begin);
  cudaEventCreate(&end);
  float best = 1e30f;
  for (int run = 0; run < 8; ++run) {
    const float one = 1.0f, zero = 0.0f;
    cudaEventRecord(begin);
    cublasSgemm(cublas, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &one, a, n, b, n, &zero, c, n);
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

double CublasPeakGflops(int n, bool tf32) {
  const size_t bytes = sizeof(float) * n * n;
  float *a = nullptr, *b = nullptr, *c = nullptr;
  cublasHandle_t cublas;
  if (cudaMalloc(&a, bytes) != cudaSuccess || cudaMalloc(&b, bytes) != cudaSuccess ||
      cudaMalloc(&c, bytes) != cudaSuccess || cublasCreate(&cublas) != CUBLAS_STATUS_SUCCESS) {
    return 0.0;
  }
  cudaMemset(a, 0x3c, bytes);  // bytes 0x3c make 0.0115: power is drawn as by real data, or nearly
  cudaMemset(b, 0x3c, bytes);
  cublasSetMathMode(cublas, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH);
  const double seconds = BestTime(cublas, n, a, b, c) / 1e3;
  cublasDestroy(cublas);
  for (float* matrix : {a, b, c}) cudaFree(matrix);
  return 2.0 * n * n * n / seconds / 1e9;
}

}  // namespace syncline
