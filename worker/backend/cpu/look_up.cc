#include <algorithm>

#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int CheckShape(const char* operation, int rows, int fields, int dim) {
  if (rows >= 0 && fields >= 1 && dim >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: [%d,%d,%d] must be at least [0,1,1]", operation, rows, fields, dim);
}

SYNCLINE_INLINE inline void AddRow(int dim, const float* x, float* y) {
  for (int c = 0; c < dim; ++c) y[c] += x[c];
}

int LookUp(BackendDevice*, int rows, int fields, int dim, int pooled, float scale, const int32_t* index,
           const float* table, size_t stride, float* y) {
  if (const int code = CheckShape("look_up", rows, fields, dim)) return code;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      float* const out = y + r * stride;
      const int32_t* const of = index + static_cast<size_t>(r) * fields;
      if (pooled) {
        for (int c = 0; c < dim; ++c) out[c] = 0.0f;
        for (int f = 0; f < fields; ++f) {
          if (of[f] >= 0) AddRow(dim, table + static_cast<size_t>(of[f]) * dim, out);
        }
        for (int c = 0; c < dim; ++c) out[c] *= scale;
        continue;
      }
      for (int f = 0; f < fields; ++f) {
        float* const row = out + static_cast<size_t>(f) * dim;
        if (of[f] < 0) {
          for (int c = 0; c < dim; ++c) row[c] = 0.0f;
        } else {
          const float* const from = table + static_cast<size_t>(of[f]) * dim;
          for (int c = 0; c < dim; ++c) row[c] = from[c];
        }
      }
    }
  });
  return kBackendOk;
}

int LookUpBackward(BackendDevice*, int used, int fields, int dim, int pooled, float scale, int add,
                   const int32_t* starts, const int32_t* places, size_t stride, const float* dy, float* dtable) {
  if (const int code = CheckShape("look_up_backward", used, fields, dim)) return code;
  if (!add) std::fill_n(dtable, static_cast<size_t>(used) * dim, 0.0f);
  Vectorise([=]() SYNCLINE_INLINE {
    for (int u = 0; u < used; ++u) {
      float* const to = dtable + static_cast<size_t>(u) * dim;
      for (int32_t p = starts[u]; p < starts[u + 1]; ++p) {
        const float* const row = dy + places[p] / fields * stride;
        if (pooled) {
          for (int c = 0; c < dim; ++c) to[c] += scale * row[c];
        } else {
          AddRow(dim, row + static_cast<size_t>(places[p] % fields) * dim, to);
        }
      }
    }
  });
  return kBackendOk;
}

}  // namespace

void AddLookUp(Backend* table) {
  table->look_up = LookUp;
  table->look_up_backward = LookUpBackward;
}

}  // namespace syncline
