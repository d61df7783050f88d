#include "worker/backend/counter_random.h"
#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

__global__ void DropoutKernel(size_t n, int32_t threshold, float scale, uint64_t seed,
                              uint64_t offset, const float* x, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    y[i] = Dropped(seed, offset + i, threshold) ? 0.0f : x[i] * scale;
  }
}

int Dropout(BackendDevice* device, size_t n, float rate, uint64_t seed, uint64_t offset,
            const float* x, float* y) {
  if (!(rate >= 0.0f && rate < 1.0f)) {
    return BackendFail(kBackendInvalid, "dropout: rate %g must be in [0, 1)",
                       static_cast<double>(rate));
  }
  if (n == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  DropoutKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(
      n, DropoutThreshold(rate), 1.0f / (1.0f - rate), seed, offset, x, y);
  return CheckLaunch("dropout");
}

}  // namespace

void AddDropout(Backend* table) { table->dropout = Dropout; }

}  // namespace syncline
