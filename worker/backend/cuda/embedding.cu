#include "worker/backend/cuda/cuda_device.h"

namespace syncline {
namespace {

__device__ int TokenAt(const float* tokens, size_t i, int vocabulary) {
  const float token = tokens[i];
  return token >= 0.0f && token < static_cast<float>(vocabulary) ? static_cast<int>(token) : -1;
}

__global__ void EmbedKernel(size_t n, int positions, int width, int vocabulary, const float* tokens,
                            const float* table, const float* position_table, float* y) {
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    const size_t at = i / width;
    const int c = i % width;
    const int token = TokenAt(tokens, at, vocabulary);
    y[i] = token < 0 ? nanf("")
                     : table[static_cast<size_t>(token) * width + c] + position_table[at % positions * width + c];
  }
}

// A block a token of the vocabulary, a thread a column: looks through all positions, in order, so that sums are
// the same in every run.
__global__ void TableKernel(size_t count, int width, int vocabulary, bool add, const float* tokens,
                            const float* dy, float* dtable) {
  for (int token = blockIdx.x; token < vocabulary; token += gridDim.x) {
    for (int c = threadIdx.x; c < width; c += blockDim.x) {
      float* const out = dtable + static_cast<size_t>(token) * width + c;
      float sum = add ? *out : 0.0f;
      for (size_t i = 0; i < count; ++i) {
        if (TokenAt(tokens, i, vocabulary) == token) sum += dy[i * width + c];
      }
      *out = sum;
    }
  }
}

__global__ void PositionKernel(int rows, int positions, int width, int vocabulary, bool add,
                               const float* tokens, const float* dy, float* dposition_table) {
  const size_t n = static_cast<size_t>(positions) * width;
  for (size_t i = ThreadIndex(); i < n; i += ThreadCount()) {
    float sum = add ? dposition_table[i] : 0.0f;
    for (int r = 0; r < rows; ++r) {
      const size_t at = static_cast<size_t>(r) * positions + i / width;
      if (TokenAt(tokens, at, vocabulary) >= 0) sum += dy[at * width + i % width];
    }
    dposition_table[i] = sum;
  }
}

int CheckShape(const char* operation, int rows, int positions, int width, int vocabulary) {
  if (rows >= 0 && positions >= 1 && width >= 1 && vocabulary >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: [%d,%d,%d] of %d tokens must be at least [0,1,1] of 1",
                     operation, rows, positions, width, vocabulary);
}

int Embed(BackendDevice* device, int rows, int positions, int width, int vocabulary, const float* tokens,
          const float* table, const float* position_table, float* y) {
  if (const int code = CheckShape("embed", rows, positions, width, vocabulary)) return code;
  if (rows == 0) return kBackendOk;
  if (const int code = Use(device)) return code;
  const size_t n = static_cast<size_t>(rows) * positions * width;
  EmbedKernel<<<Blocks(n), kThreads, 0, device->compute()>>>(n, positions, width, vocabulary, tokens, table,
                                                             position_table, y);
  return CheckLaunch("embed");
}

int EmbedBackward(BackendDevice* device, int rows, int positions, int width, int vocabulary, int add,
                  const float* tokens, const float* dy, float* dtable, float* dposition_table) {
  if (const int code = CheckShape("embed_backward", rows, positions, width, vocabulary)) return code;
  if (const int code = Use(device)) return code;
  const size_t count = static_cast<size_t>(rows) * positions;
  TableKernel<<<Blocks(vocabulary, 1), kThreads, 0, device->compute()>>>(count, width, vocabulary, add != 0,
                                                                         tokens, dy, dtable);
  if (const int code = CheckLaunch("embed_backward table")) return code;
  PositionKernel<<<Blocks(static_cast<size_t>(positions) * width), kThreads, 0, device->compute()>>>(
      rows, positions, width, vocabulary, add != 0, tokens, dy, dposition_table);
  return CheckLaunch("embed_backward positions");
}

}  // namespace

void AddEmbedding(Backend* table) {
  table->embed = Embed;
  table->embed_backward = EmbedBackward;
}

}  // namespace syncline
