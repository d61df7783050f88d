#ifndef SYNCLINE_WORKER_BACKEND_CUDA_CUDA_DEVICE_H_
#define SYNCLINE_WORKER_BACKEND_CUDA_CUDA_DEVICE_H_

// What the files of the CUDA backend share. The contracts are in worker/backend/backend.h.

#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "worker/backend/backend.h"
#include "worker/backend/error.h"

namespace syncline {

struct BackendDevice {
  int ordinal;
  cudaStream_t streams[4];       // by BackendStream
  cublasHandle_t cublas;         // on the compute stream
  cublasComputeType_t products;  // what they may round their inputs to

  cudaStream_t compute() const { return streams[kComputeStream]; }
};

// Records the error of a CUDA call, if it is one.
inline int CheckCuda(cudaError_t error, const char* call) {
  if (error == cudaSuccess) return kBackendOk;
  cudaGetLastError();  // clears it, where that is possible
  return BackendFail(error == cudaErrorMemoryAllocation ? kBackendOutOfMemory : kBackendFailed,
                     "%s: %s", call, cudaGetErrorString(error));
}

#define SYNCLINE_CUDA(call)                                                  \
  do {                                                                       \
    if (const int code = ::syncline::CheckCuda((call), #call)) return code; \
  } while (false)

// After every launch: a bad configuration shows here, a fault in a kernel at some later call.
inline int CheckLaunch(const char* kernel) { return CheckCuda(cudaGetLastError(), kernel); }

// The driver keeps the current device by thread.
inline int Use(const BackendDevice* device) {
  return CheckCuda(cudaSetDevice(device->ordinal), "cudaSetDevice");
}

constexpr int kThreads = 256;
constexpr int kWarp = 32;

// Blocks of kThreads threads for n elements; kernels loop with a grid stride.
inline unsigned Blocks(size_t n, size_t per_block = kThreads) {
  const size_t blocks = (n + per_block - 1) / per_block;
  return static_cast<unsigned>(blocks < 65535 ? blocks : 65535);
}

#ifdef __CUDACC__
__device__ inline size_t ThreadIndex() {
  return static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline size_t ThreadCount() { return static_cast<size_t>(gridDim.x) * blockDim.x; }

// The sum over a warp, in every lane.
__device__ inline float WarpSum(float x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x += __shfl_xor_sync(~0u, x, lanes);
  return x;
}

__device__ inline float WarpMax(float x) {
  for (int lanes = kWarp / 2; lanes > 0; lanes /= 2) x = fmaxf(x, __shfl_xor_sync(~0u, x, lanes));
  return x;
}
#endif

void AddGemm(Backend* table);         // gemm.cu
void AddActivations(Backend* table);  // activation.cu
void AddColumnSum(Backend* table);    // column_sum.cu
void AddDropout(Backend* table);      // dropout.cu
void AddLayerNorm(Backend* table);    // layer_norm.cu
void AddLosses(Backend* table);       // loss.cu
void AddCounts(Backend* table);       // count.cu
void AddGathers(Backend* table);      // gather.cu
void AddEmbedding(Backend* table);    // embedding.cu
void AddAttention(Backend* table);    // attention.cu
void AddLookUp(Backend* table);       // look_up.cu
void AddVectors(Backend* table);      // vectors.cu
void AddMemory(Backend* table);       // memory.cu: memory, copies, events
void AddGroups(Backend* table);       // groups.cu: sums and copies among devices, with NCCL

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CUDA_CUDA_DEVICE_H_
