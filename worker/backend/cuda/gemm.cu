#include <cuda_bf16.h>

#include <cstdint>

#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

int AtLeastOne(int n) { return n > 1 ? n : 1; }

// cuBLAS takes floats for bfloat16 products too, but rounds them as for TF32, at TF32's speed (seen with 13.1 on an
// H200). So inputs are rounded here, unless a product is so small that two more launches cost more than they save.
bool RoundsInputs(const BackendDevice* device, size_t m, size_t n, size_t k) {
  return device->products == CUBLAS_COMPUTE_32F_FAST_16BF && m * n * k >= (1 << 20);
}

__global__ void RoundKernel(size_t n, const float* x, __nv_bfloat16* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) y[i] = __float2bfloat16_rn(x[i]);
}

// Four at a time, of memory that lies on 16 bytes.
__global__ void RoundFoursKernel(size_t fours, const float4* x, uint2* y) {
  for (size_t i = ThreadIndex(); i < fours; i += ThreadCount()) {
    const float4 in = x[i];
    const __nv_bfloat162 low = __floats2bfloat162_rn(in.x, in.y), high = __floats2bfloat162_rn(in.z, in.w);
    y[i] = {reinterpret_cast<const unsigned&>(low), reinterpret_cast<const unsigned&>(high)};
  }
}

// An input in bfloat16, until what was submitted meanwhile has read it. Memory comes from the device's pool, in the
// order of the stream: nobody waits.
class Rounded {
 public:
  explicit Rounded(BackendDevice* device) : device_(device) {}
  ~Rounded() {
    if (data_ != nullptr) cudaFreeAsync(data_, device_->compute());
  }
  Rounded(const Rounded&) = delete;
  Rounded& operator=(const Rounded&) = delete;

  int Set(const float* x, size_t n) {
    SYNCLINE_CUDA(cudaMallocAsync(&data_, n * sizeof(__nv_bfloat16), device_->compute()));
    if (n % 4 == 0 && reinterpret_cast<uintptr_t>(x) % sizeof(float4) == 0) {
      RoundFoursKernel<<<Blocks(n / 4), kThreads, 0, device_->compute()>>>(n / 4, reinterpret_cast<const float4*>(x),
                                                                          static_cast<uint2*>(data_));
    } else {
      RoundKernel<<<Blocks(n), kThreads, 0, device_->compute()>>>(n, x, static_cast<__nv_bfloat16*>(data_));
    }
    return CheckLaunch("rounding to bfloat16");
  }
  const void* data() const { return data_; }

 private:
  BackendDevice* const device_;
  void* data_ = nullptr;
};

// cuBLAS counts in columns: it computes C^T = op(B)^T op(A)^T, and a row-major matrix is its own
// transpose there.
int Multiply(BackendDevice* device, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
             const void* a, const void* b, float beta, float* c, cudaDataType inputs, cublasComputeType_t products) {
  const cublasStatus_t status = cublasGemmEx(
      device->cublas, transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N,
      transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N, n, m, k, &alpha, b, inputs,
      AtLeastOne(transpose_b ? k : n), a, inputs, AtLeastOne(transpose_a ? m : k), &beta, c,
      CUDA_R_32F, n, products, CUBLAS_GEMM_DEFAULT);
  if (status == CUBLAS_STATUS_SUCCESS) return kBackendOk;
  return BackendFail(kBackendFailed, "cublasGemmEx: %s", cublasGetStatusString(status));
}

int Gemm(BackendDevice* device, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
         const float* a, const float* b, float beta, float* c) {
  if (m < 0 || n < 0 || k < 0) {
    return BackendFail(kBackendInvalid, "gemm: sizes %d, %d, %d must not be negative", m, n, k);
  }
  if (m == 0 || n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  if (!RoundsInputs(device, m, n, k)) {
    return Multiply(device, transpose_a, transpose_b, m, n, k, alpha, a, b, beta, c, CUDA_R_32F, device->products);
  }
  Rounded rounded_a(device), rounded_b(device);
  if (const int code = rounded_a.Set(a, static_cast<size_t>(m) * k)) return code;
  if (const int code = rounded_b.Set(b, static_cast<size_t>(k) * n)) return code;
  return Multiply(device, transpose_a, transpose_b, m, n, k, alpha, rounded_a.data(), rounded_b.data(), beta, c,
                  CUDA_R_16BF, CUBLAS_COMPUTE_32F);
}

}  // namespace

void AddGemm(Backend* table) { table->gemm = Gemm; }

}  // namespace syncline
