#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

__global__ void RowsKernel(size_t n, int fields, int dim, const int32_t* index, const float* table, size_t stride,
                           float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t at = i / dim;
    const int32_t row = index[at];
    y[at / fields * stride + i % (static_cast<size_t>(fields) * dim)] =
        row < 0 ? 0.0f : table[static_cast<size_t>(row) * dim + i % dim];
  }
}

__global__ void PooledKernel(size_t n, int fields, int dim, float scale, const int32_t* index, const float* table,
                             size_t stride, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t r = i / dim;
    float sum = 0.0f;
    for (int f = 0; f < fields; ++f) {
      const int32_t row = index[r * fields + f];
      if (row >= 0) sum += table[static_cast<size_t>(row) * dim + i % dim];
    }
    y[r * stride + i % dim] = scale * sum;
  }
}

// A thread a float of the table, which goes through its places in order: the same sum in every run.
__global__ void BackwardKernel(size_t n, int fields, int dim, bool pooled, float scale, bool add,
                               const int32_t* starts, const int32_t* places, size_t stride, const float* dy,
                               float* dtable) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t u = i / dim;
    float sum = add ? dtable[i] : 0.0f;
    for (int32_t p = starts[u]; p < starts[u + 1]; ++p) {
      const float* const row = dy + places[p] / fields * stride + i % dim;
      sum += pooled ? scale * *row : row[static_cast<size_t>(places[p] % fields) * dim];
    }
    dtable[i] = sum;
  }
}

int CheckShape(const char* operation, int rows, int fields, int dim) {
  if (rows >= 0 && fields >= 1 && dim >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: [%d,%d,%d] must be at least [0,1,1]", operation, rows, fields, dim);
}

int LookUp(BackendDevice* device, int rows, int fields, int dim, int pooled, float scale, const int32_t* index,
           const float* table, size_t stride, float* y) {
  if (const int code = CheckShape("look_up", rows, fields, dim)) return code;
  if (rows == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const size_t n = static_cast<size_t>(rows) * dim * (pooled ? 1 : fields);
  if (pooled) {
    PooledKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, fields, dim, scale, index, table, stride, y);
  } else {
    RowsKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, fields, dim, index, table, stride, y);
  }
  return CheckLaunch("look_up");
}

int LookUpBackward(BackendDevice* device, int used, int fields, int dim, int pooled, float scale, int add,
                   const int32_t* starts, const int32_t* places, size_t stride, const float* dy, float* dtable) {
  if (const int code = CheckShape("look_up_backward", used, fields, dim)) return code;
  if (used == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const size_t n = static_cast<size_t>(used) * dim;
  BackwardKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, fields, dim, pooled != 0, scale, add != 0,
                                                                starts, places, stride, dy, dtable);
  return CheckLaunch("look_up_backward");
}

}  // namespace

void AddLookUp(Backend* table) {
  table->look_up = LookUp;
  table->look_up_backward = LookUpBackward;
}

}  // namespace syncline
