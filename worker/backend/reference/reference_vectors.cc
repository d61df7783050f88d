#include "worker/backend/reference/reference_vectors.h"

namespace syncline {
namespace {

int LookUp(BackendDevice*, int rows, int fields, int dim, int pooled, float scale, const int32_t* index,
           const float* table, size_t stride, float* y) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < dim; ++c) {
      double sum = 0.0;
      for (int f = 0; f < fields; ++f) {
        const int32_t row = index[r * fields + f];
        const double value = row < 0 ? 0.0 : table[row * dim + c];
        if (!pooled) y[r * stride + f * dim + c] = static_cast<float>(value);
        sum += value;
      }
      if (pooled) y[r * stride + c] = static_cast<float>(scale * sum);
    }
  }
  return kBackendOk;
}

int LookUpBackward(BackendDevice*, int used, int fields, int dim, int pooled, float scale, int add,
                   const int32_t* starts, const int32_t* places, size_t stride, const float* dy, float* dtable) {
  for (int u = 0; u < used; ++u) {
    for (int c = 0; c < dim; ++c) {
      double sum = add ? dtable[u * dim + c] : 0.0;
      for (int p = starts[u]; p < starts[u + 1]; ++p) {
        const size_t row = places[p] / fields * stride;
        sum += pooled ? scale * double{dy[row + c]} : double{dy[row + places[p] % fields * dim + c]};
      }
      dtable[u * dim + c] = static_cast<float>(sum);
    }
  }
  return kBackendOk;
}

int VectorSum(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < dim; ++c) {
      double sum = 0.0;
      for (int v = 0; v < vectors; ++v) sum += x[(r * vectors + v) * dim + c];
      y[r * dim + c] = static_cast<float>(sum);
    }
  }
  return kBackendOk;
}

int VectorSumBackward(BackendDevice*, int rows, int vectors, int dim, const float* dy, float* dx) {
  for (int i = 0; i < rows * vectors * dim; ++i) dx[i] = dy[i / (vectors * dim) * dim + i % dim];
  return kBackendOk;
}

double Dot(int dim, const float* x, const float* y) {
  double sum = 0.0;
  for (int c = 0; c < dim; ++c) sum += double{x[c]} * y[c];
  return sum;
}

int Factorization(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  for (int r = 0; r < rows; ++r) {
    const float* in = x + r * vectors * dim;
    double sum = 0.0;
    for (int v = 0; v < vectors; ++v) {
      for (int w = 0; w < v; ++w) sum += Dot(dim, in + v * dim, in + w * dim);
    }
    y[r] = static_cast<float>(sum);
  }
  return kBackendOk;
}

int FactorizationBackward(BackendDevice*, int rows, int vectors, int dim, const float* x, const float* dy,
                          float* dx) {
  for (int r = 0; r < rows; ++r) {
    for (int v = 0; v < vectors; ++v) {
      for (int c = 0; c < dim; ++c) {
        double others = 0.0;
        for (int w = 0; w < vectors; ++w) others += w == v ? 0.0 : x[(r * vectors + w) * dim + c];
        dx[(r * vectors + v) * dim + c] = static_cast<float>(dy[r] * others);
      }
    }
  }
  return kBackendOk;
}

int Interaction(BackendDevice*, int rows, int vectors, int dim, const float* x, float* y) {
  for (int r = 0; r < rows; ++r) {
    const float* in = x + r * vectors * dim;
    for (int c = 0; c < dim; ++c) *y++ = in[c];
    for (int v = 1; v < vectors; ++v) {
      for (int w = 0; w < v; ++w) *y++ = static_cast<float>(Dot(dim, in + v * dim, in + w * dim));
    }
  }
  return kBackendOk;
}

int InteractionBackward(BackendDevice*, int rows, int vectors, int dim, const float* x, const float* dy,
                        float* dx) {
  const int width = dim + vectors * (vectors - 1) / 2;
  for (int r = 0; r < rows; ++r) {
    const float* slope = dy + r * width;
    for (int v = 0; v < vectors; ++v) {
      for (int c = 0; c < dim; ++c) {
        double sum = v == 0 ? slope[c] : 0.0;
        for (int w = 0; w < vectors; ++w) {
          const int high = v > w ? v : w, low = v > w ? w : v;
          if (w != v) sum += double{slope[dim + high * (high - 1) / 2 + low]} * x[(r * vectors + w) * dim + c];
        }
        dx[(r * vectors + v) * dim + c] = static_cast<float>(sum);
      }
    }
  }
  return kBackendOk;
}

int CopyColumns(BackendDevice*, int rows, int cols, int add, size_t from_stride, const float* from,
                size_t to_stride, float* to) {
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < cols; ++c) {
      to[r * to_stride + c] = from[r * from_stride + c] + (add ? to[r * to_stride + c] : 0.0f);
    }
  }
  return kBackendOk;
}

}  // namespace

void AddReferenceVectors(Backend* table) {
  table->look_up = LookUp;
  table->look_up_backward = LookUpBackward;
  table->vector_sum = VectorSum;
  table->vector_sum_backward = VectorSumBackward;
  table->factorization = Factorization;
  table->factorization_backward = FactorizationBackward;
  table->interaction = Interaction;
  table->interaction_backward = InteractionBackward;
  table->copy_columns = CopyColumns;
}

}  // namespace syncline
