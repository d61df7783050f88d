#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

// out[r,c] = source[indices[r],c] * scale + shift.
template <typename T>
__global__ void GatherKernel(size_t n, int cols, const T* source, const int64_t* indices,
                             float scale, float shift, float* out) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t from = indices[i / cols] * cols + i % cols;
    out[i] = source[from] * scale + shift;
  }
}

__global__ void GatherInt32Kernel(int rows, const int32_t* source, const int64_t* indices,
                                  int32_t* out) {
  for (size_t r = ThreadIndex(); r < rows; r += ThreadCount()) out[r] = source[indices[r]];
}

template <typename T>
int Gather(BackendDevice* device, int rows, int cols, const T* source, const int64_t* indices,
           float scale, float shift, float* out) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "gather: shape [%d,%d] is negative", rows, cols);
  }
  const size_t n = static_cast<size_t>(rows) * cols;
  if (n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  GatherKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, cols, source, indices, scale,
                                                              shift, out);
  return CheckLaunch("gather");
}

int GatherUint8(BackendDevice* device, int rows, int cols, const uint8_t* source,
                const int64_t* indices, float mean, float std, float* out) {
  return Gather(device, rows, cols, source, indices, 1.0f / (255.0f * std), -mean / std, out);
}

int GatherFloat(BackendDevice* device, int rows, int cols, const float* source,
                const int64_t* indices, float mean, float std, float* out) {
  return Gather(device, rows, cols, source, indices, 1.0f / std, -mean / std, out);
}

int GatherInt32(BackendDevice* device, int rows, const int32_t* source, const int64_t* indices,
                int32_t* out) {
  if (rows < 0) return BackendFail(kBackendInvalid, "gather: %d rows", rows);
  if (rows == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  GatherInt32Kernel<<<Blocks(rows), kThreads, 0, device->compute()>>>(rows, source, indices, out);
  return CheckLaunch("gather_int32");
}

}  // namespace

void AddGathers(Backend* table) {
  table->gather_uint8 = GatherUint8;
  table->gather_float = GatherFloat;
  table->gather_int32 = GatherInt32;
}

}  // namespace syncline
