#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

__global__ void SumKernel(size_t n, int vectors, int dim, const float* x, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const float* const in = x + i / dim * vectors * dim + i % dim;
    float sum = 0.0f;
    for (int v = 0; v < vectors; ++v) sum += in[static_cast<size_t>(v) * dim];
    y[i] = sum;
  }
}

__global__ void SumBackwardKernel(size_t n, int vectors, int dim, const float* dy, float* dx) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    dx[i] = dy[i / (static_cast<size_t>(vectors) * dim) * dim + i % dim];
  }
}

// A warp a row: half of (the sum squared less the sum of squares).
__global__ void FactorizationKernel(size_t rows, int vectors, int dim, const float* x, float* y) {
  for (size_t r = ThreadIndex() / kWarp; r < rows; r += ThreadCount() / kWarp) {
    const float* const in = x + r * vectors * dim;
    float product = 0.0f;
    for (int c = threadIdx.x % kWarp; c < dim; c += kWarp) {
      float sum = 0.0f, squares = 0.0f;
      for (int v = 0; v < vectors; ++v) {
        const float value = in[static_cast<size_t>(v) * dim + c];
        sum += value;
        squares += value * value;
      }
      product += 0.5f * (sum * sum - squares);
    }
    product = WarpSum(product);
    if (threadIdx.x % kWarp == 0) y[r] = product;
  }
}

__global__ void FactorizationBackwardKernel(size_t n, int vectors, int dim, const float* x, const float* dy,
                                            float* dx) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t r = i / dim, start = r * vectors * dim + i % dim;
    float sum = 0.0f;
    for (int v = 0; v < vectors; ++v) sum += x[start + static_cast<size_t>(v) * dim];
    for (int v = 0; v < vectors; ++v) {
      const size_t at = start + static_cast<size_t>(v) * dim;
      dx[at] = dy[r] * (sum - x[at]);
    }
  }
}

// A thread an output: of a row the first vector, then the products, of which number v (v - 1) / 2 + w is that of v
// and w < v.
__global__ void InteractionKernel(size_t n, int vectors, int dim, const float* x, float* y) {
  const size_t width = dim + static_cast<size_t>(vectors) * (vectors - 1) / 2;
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const float* const in = x + i / width * vectors * dim;
    const int at = static_cast<int>(i % width);
    if (at < dim) {
      y[i] = in[at];
      continue;
    }
    const int product = at - dim;
    int v = static_cast<int>((1.0f + sqrtf(1.0f + 8.0f * product)) / 2.0f);
    while (v * (v - 1) / 2 > product) --v;  // the root was rounded up
    while (v * (v + 1) / 2 <= product) ++v;
    const int w = product - v * (v - 1) / 2;
    float sum = 0.0f;
    for (int c = 0; c < dim; ++c) sum += in[static_cast<size_t>(v) * dim + c] * in[static_cast<size_t>(w) * dim + c];
    y[i] = sum;
  }
}

__global__ void InteractionBackwardKernel(size_t n, int vectors, int dim, const float* x, const float* dy,
                                          float* dx) {
  const size_t width = dim + static_cast<size_t>(vectors) * (vectors - 1) / 2;
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t r = i / (static_cast<size_t>(vectors) * dim);
    const int v = static_cast<int>(i / dim % vectors), c = static_cast<int>(i % dim);
    const float* const in = x + r * vectors * dim + c;
    const float* const slope = dy + r * width;
    float sum = v == 0 ? slope[c] : 0.0f;
    for (int w = 0; w < v; ++w) sum += slope[dim + v * (v - 1) / 2 + w] * in[static_cast<size_t>(w) * dim];
    for (int w = v + 1; w < vectors; ++w) sum += slope[dim + w * (w - 1) / 2 + v] * in[static_cast<size_t>(w) * dim];
    dx[i] = sum;
  }
}

__global__ void CopyColumnsKernel(size_t n, int cols, bool add, size_t from_stride, const float* from,
                                  size_t to_stride, float* to) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t r = i / cols, c = i % cols;
    float* const out = to + r * to_stride + c;
    *out = from[r * from_stride + c] + (add ? *out : 0.0f);
  }
}

// Whether there is something to do; otherwise `code` is what to return.
bool Begin(const char* operation, BackendDevice* device, int rows, int vectors, int dim, int* code) {
  *code = kBackendOk;
  if (rows < 0 || vectors < 1 || dim < 1) {
    *code = BackendFail(kBackendInvalid, "%s: [%d,%d,%d] must be at least [0,1,1]", operation, rows, vectors, dim);
  } else if (rows > 0) {
    *code = Use(device);
  }
  return *code == kBackendOk && rows > 0;
}

size_t Count(int rows, int vectors, int dim) { return static_cast<size_t>(rows) * vectors * dim; }

int VectorSum(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y) {
  int code;
  if (!Begin("vector_sum", device, rows, vectors, dim, &code)) return code;
  const size_t n = Count(rows, 1, dim);
  SumKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, vectors, dim, x, y);
  return CheckLaunch("vector_sum");
}

int VectorSumBackward(BackendDevice* device, int rows, int vectors, int dim, const float* dy, float* dx) {
  int code;
  if (!Begin("vector_sum_backward", device, rows, vectors, dim, &code)) return code;
  const size_t n = Count(rows, vectors, dim);
  SumBackwardKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, vectors, dim, dy, dx);
  return CheckLaunch("vector_sum_backward");
}

int Factorization(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y) {
  int code;
  if (!Begin("factorization", device, rows, vectors, dim, &code)) return code;
  FactorizationKernel<<<Blocks(rows, kThreads / kWarp), kThreads, 0, device->compute()>>>(rows, vectors, dim, x, y);
  return CheckLaunch("factorization");
}

int FactorizationBackward(BackendDevice* device, int rows, int vectors, int dim, const float* x, const float* dy,
                          float* dx) {
  int code;
  if (!Begin("factorization_backward", device, rows, vectors, dim, &code)) return code;
  const size_t n = Count(rows, 1, dim);
  FactorizationBackwardKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, vectors, dim, x, dy, dx);
  return CheckLaunch("factorization_backward");
}

int Interaction(BackendDevice* device, int rows, int vectors, int dim, const float* x, float* y) {
  int code;
  if (!Begin("interaction", device, rows, vectors, dim, &code)) return code;
  const size_t n = rows * (dim + static_cast<size_t>(vectors) * (vectors - 1) / 2);
  InteractionKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, vectors, dim, x, y);
  return CheckLaunch("interaction");
}

int InteractionBackward(BackendDevice* device, int rows, int vectors, int dim, const float* x, const float* dy,
                        float* dx) {
  int code;
  if (!Begin("interaction_backward", device, rows, vectors, dim, &code)) return code;
  const size_t n = Count(rows, vectors, dim);
  InteractionBackwardKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, vectors, dim, x, dy, dx);
  return CheckLaunch("interaction_backward");
}

int CopyColumns(BackendDevice* device, int rows, int cols, int add, size_t from_stride, const float* from,
                size_t to_stride, float* to) {
  int code;
  if (cols == 0 || !Begin("copy_columns", device, rows, 1, cols, &code)) return cols == 0 ? kBackendOk : code;
  const size_t n = Count(rows, 1, cols);
  CopyColumnsKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, cols, add != 0, from_stride, from, to_stride,
                                                                   to);
  return CheckLaunch("copy_columns");
}

}  // namespace

void AddVectors(Backend* table) {
  table->vector_sum = VectorSum;
  table->vector_sum_backward = VectorSumBackward;
  table->factorization = Factorization;
  table->factorization_backward = FactorizationBackward;
  table->interaction = Interaction;
  table->interaction_backward = InteractionBackward;
  table->copy_columns = CopyColumns;
}

}  // namespace syncline
