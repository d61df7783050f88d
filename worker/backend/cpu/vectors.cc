#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/vectorise.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

int CheckShape(const char* operation, int rows, int vectors, int dim) {
  if (rows >= 0 && vectors >= 1 && dim >= 1) return kBackendOk;
  return BackendFail(kBackendInvalid, "%s: [%d,%d,%d] must be at least [0,1,1]", operation, rows, vectors, dim);
}

SYNCLINE_INLINE inline void AddScaled(int dim, float scale, const float* x, float* y) {
  for (int c = 0; c < dim; ++c) y[c] += scale * x[c];
}

SYNCLINE_INLINE inline float Dot(int dim, const float* x, const float* y) {
  float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
  for (int c = 0; c < dim; ++c) sum += x[c] * y[c];
  return sum;
}

int VectorSum(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  if (const int code = CheckShape("vector_sum", rows, vectors, dim)) return code;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = x + static_cast<size_t>(r) * vectors * dim;
      float* const out = y + static_cast<size_t>(r) * dim;
      for (int c = 0; c < dim; ++c) out[c] = in[c];
      for (int v = 1; v < vectors; ++v) AddScaled(dim, 1.0f, in + v * dim, out);
    }
  });
  return kBackendOk;
}

int VectorSumBackward(BackendDevice*, int rows, int vectors, int dim, const float* dy, float* dx) {
  if (const int code = CheckShape("vector_sum_backward", rows, vectors, dim)) return code;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const slope = dy + static_cast<size_t>(r) * dim;
      float* const out = dx + static_cast<size_t>(r) * vectors * dim;
      for (int v = 0; v < vectors; ++v) {
        for (int c = 0; c < dim; ++c) out[v * dim + c] = slope[c];
      }
    }
  });
  return kBackendOk;
}

// Half of (the sum squared less the sum of squares): linear in the number of vectors.
int Factorization(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  if (const int code = CheckShape("factorization", rows, vectors, dim)) return code;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = x + static_cast<size_t>(r) * vectors * dim;
      float product = 0.0f;
      for (int c = 0; c < dim; ++c) {
        float sum = 0.0f, squares = 0.0f;
        for (int v = 0; v < vectors; ++v) {
          sum += in[v * dim + c];
          squares += in[v * dim + c] * in[v * dim + c];
        }
        product += 0.5f * (sum * sum - squares);
      }
      y[r] = product;
    }
  });
  return kBackendOk;
}

// A vector's slope is the sum of the others.
int FactorizationBackward(BackendDevice*, int rows, int vectors, int dim, const float* x, const float* dy,
                          float* dx) {
  if (const int code = CheckShape("factorization_backward", rows, vectors, dim)) return code;
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = x + static_cast<size_t>(r) * vectors * dim;
      float* const out = dx + static_cast<size_t>(r) * vectors * dim;
      for (int c = 0; c < dim; ++c) {
        float sum = 0.0f;
        for (int v = 0; v < vectors; ++v) sum += in[v * dim + c];
        for (int v = 0; v < vectors; ++v) out[v * dim + c] = dy[r] * (sum - in[v * dim + c]);
      }
    }
  });
  return kBackendOk;
}

size_t InteractionWidth(int vectors, int dim) { return dim + static_cast<size_t>(vectors) * (vectors - 1) / 2; }

int Interaction(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  if (const int code = CheckShape("interaction", rows, vectors, dim)) return code;
  const size_t width = InteractionWidth(vectors, dim);
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = x + static_cast<size_t>(r) * vectors * dim;
      float* out = y + r * width;
      for (int c = 0; c < dim; ++c) out[c] = in[c];
      out += dim;
      for (int v = 1; v < vectors; ++v) {
        for (int w = 0; w < v; ++w) *out++ = Dot(dim, in + v * dim, in + w * dim);
      }
    }
  });
  return kBackendOk;
}

int InteractionBackward(BackendDevice*, int rows, int vectors, int dim, const float* x, const float* dy,
                        float* dx) {
  if (const int code = CheckShape("interaction_backward", rows, vectors, dim)) return code;
  const size_t width = InteractionWidth(vectors, dim);
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = x + static_cast<size_t>(r) * vectors * dim;
      const float* slope = dy + r * width;
      float* const out = dx + static_cast<size_t>(r) * vectors * dim;
      for (int c = 0; c < dim; ++c) out[c] = slope[c];
      for (int c = dim; c < vectors * dim; ++c) out[c] = 0.0f;
      slope += dim;
      for (int v = 1; v < vectors; ++v) {
        for (int w = 0; w < v; ++w, ++slope) {
          AddScaled(dim, *slope, in + w * dim, out + v * dim);
          AddScaled(dim, *slope, in + v * dim, out + w * dim);
        }
      }
    }
  });
  return kBackendOk;
}

int CopyColumns(BackendDevice*, int rows, int cols, int add, size_t from_stride, const float* from,
                size_t to_stride, float* to) {
  if (rows < 0 || cols < 0) {
    return BackendFail(kBackendInvalid, "copy_columns: shape [%d,%d] is negative", rows, cols);
  }
  Vectorise([=]() SYNCLINE_INLINE {
    for (int r = 0; r < rows; ++r) {
      const float* const in = from + r * from_stride;
      float* const out = to + r * to_stride;
      if (add) {
        AddScaled(cols, 1.0f, in, out);
      } else {
        for (int c = 0; c < cols; ++c) out[c] = in[c];
      }
    }
  });
  return kBackendOk;
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
