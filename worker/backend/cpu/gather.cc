#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

// out[r,c] = source[indices[r],c] * scale + shift.
template <typename T>
int Gather(int rows, int cols, const T* source, const int64_t* indices, float scale, float shift,
           float* out) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "gather: shape [%d,%d] is negative", rows, cols);
  }
  const size_t width = cols;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const T* from = source + indices[r] * width;
      float* to = out + r * width;
      for (size_t c = 0; c < width; ++c) to[c] = from[c] * scale + shift;
    }
  });
  return kBackendOk;
}

int GatherUint8(BackendDevice*, int rows, int cols, const uint8_t* source, const int64_t* indices,
                float mean, float std, float* out) {
  return Gather(rows, cols, source, indices, 1.0f / (255.0f * std), -mean / std, out);
}

int GatherFloat(BackendDevice*, int rows, int cols, const float* source, const int64_t* indices,
                float mean, float std, float* out) {
  return Gather(rows, cols, source, indices, 1.0f / std, -mean / std, out);
}

int GatherInt32(BackendDevice*, int rows, const int32_t* source, const int64_t* indices,
                int32_t* out) {
  if (rows < 0) return BackendFail(kBackendInvalid, "gather: %d rows", rows);
  for (int r = 0; r < rows; ++r) out[r] = source[indices[r]];
  return kBackendOk;
}

}  // namespace

void AddGathers(Backend* table) {
  table->gather_uint8 = GatherUint8;
  table->gather_float = GatherFloat;
  table->gather_int32 = GatherInt32;
}

}  // namespace syncline
