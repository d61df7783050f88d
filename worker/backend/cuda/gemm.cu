#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

int AtLeastOne(int n) { return n > 1 ? n : 1; }

// cuBLAS counts in columns: it computes C^T = op(B)^T op(A)^T, and a row-major matrix is its own
// transpose there.
int Gemm(BackendDevice* device, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
         const float* a, const float* b, float beta, float* c) {
  if (m < 0 || n < 0 || k < 0) {
    return BackendFail(kBackendInvalid, "gemm: sizes %d, %d, %d must not be negative", m, n, k);
  }
  if (m == 0 || n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const cublasStatus_t status = cublasGemmEx(
      device->cublas, transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
      transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, &alpha, b, CUDA_R_32F,
      AtLeastOne(transpose_b ? k : n), a, CUDA_R_32F, AtLeastOne(transpose_a ? m : k), &beta, c,
      CUDA_R_32F, n, device->products, CUBLAS_GEMM_DEFAULT);
  if (status == CUBLAS_STATUS_SUCCESS) return kBackendOk;
  return BackendFail(kBackendFailed, "cublasGemmEx: %s", cublasGetStatusString(status));
}

}  // namespace

void AddGemm(Backend* table) { table->gemm = Gemm; }

}  // namespace syncline
