// Rows of tables, and vectors side by side.

#include "worker/backend/conformance/comparison.h"

namespace syncline {
namespace {

// Which rows of a table are looked up where, as look_up and look_up_backward want it: about one in eight is none.
struct Places {
  std::vector<int32_t> index, starts, places;
  Places(const std::vector<float>& numbers, int used) : starts(used + 1) {
    for (const float number : numbers) index.push_back(static_cast<int32_t>(number));
    for (int u = 0; u < used; ++u) {
      for (size_t i = 0; i < index.size(); ++i) {
        if (index[i] == u) places.push_back(static_cast<int32_t>(i));
      }
      starts[u + 1] = static_cast<int32_t>(places.size());
    }
    places.push_back(0);  // there is no memory of no bytes
  }
};

struct Vectors {
  int rows, vectors, dim;
  std::string Text() const {
    return "[" + std::to_string(rows) + "," + std::to_string(vectors) + "," + std::to_string(dim) + "]";
  }
};
constexpr Vectors kVectors[] = {{1, 1, 1}, {3, 2, 7}, {5, 26, 1}, {64, 27, 16}, {9, 5, 65}};

}  // namespace

void CompareLookUps(Comparison* comparison) {
  constexpr int kUsed = 7;
  for (const Vectors& v : kVectors) {
    for (const int pooled : {0, 1}) {
      comparison->Case("look_up", 1e-5, v.Text(), [=](Run* run) {
        const int width = pooled ? v.dim : v.vectors * v.dim, stride = width + 3;
        const Places at(run->Whole(v.rows * v.vectors, -1, kUsed), kUsed);
        const float *table = run->Floats(kUsed * v.dim), *dy = run->Floats(v.rows * stride);
        float *y = run->Floats(v.rows * stride), *dtable = run->Floats(kUsed * v.dim);
        run->Check(run->table().look_up(run->device(), v.rows, v.vectors, v.dim, pooled, 0.5f,
                                        run->Upload(at.index), table, stride, y));
        run->Output(y, v.rows * stride);
        for (const int add : {0, 1}) {
          run->Check(run->table().look_up_backward(run->device(), kUsed, v.vectors, v.dim, pooled, 0.5f, add,
                                                   run->Upload(at.starts), run->Upload(at.places), stride, dy,
                                                   dtable));
          run->Output(dtable, kUsed * v.dim);
        }
      });
    }
  }
}

void CompareSideBySide(Comparison* comparison) {
  using Forward = int (*Backend::*)(BackendDevice*, int, int, int, const float*, float*);
  using Backward = int (*Backend::*)(BackendDevice*, int, int, int, const float*, const float*, float*);
  const auto compare = [&](const char* name, Forward forward, Backward backward, auto width) {
    for (const Vectors& v : kVectors) {
      comparison->Case(name, 1e-5, v.Text(), [=](Run* run) {
        const int n = v.rows * v.vectors * v.dim, m = v.rows * width(v);
        const float *x = run->Floats(n), *dy = run->Floats(m);
        float *y = run->Floats(m), *dx = run->Floats(n);
        run->Check((run->table().*forward)(run->device(), v.rows, v.vectors, v.dim, x, y));
        run->Output(y, m);
        if (backward == nullptr) {
          run->Check(run->table().vector_sum_backward(run->device(), v.rows, v.vectors, v.dim, dy, dx));
        } else {
          run->Check((run->table().*backward)(run->device(), v.rows, v.vectors, v.dim, x, dy, dx));
        }
        run->Output(dx, n);
      });
    }
  };
  compare("vector_sum", &Backend::vector_sum, nullptr, [](const Vectors& v) { return v.dim; });
  compare("factorization", &Backend::factorization, &Backend::factorization_backward,
          [](const Vectors&) { return 1; });
  compare("interaction", &Backend::interaction, &Backend::interaction_backward,
          [](const Vectors& v) { return v.dim + v.vectors * (v.vectors - 1) / 2; });
  for (const Shape& shape : kShapes) {
    comparison->Case("copy_columns", 1e-6, Text(shape), [=](Run* run) {
      const int from_stride = shape.cols + 2, to_stride = shape.cols + 5;
      const float* from = run->Floats(shape.rows * from_stride);
      float* to = run->Floats(shape.rows * to_stride);
      for (const int add : {0, 1}) {
        run->Check(run->table().copy_columns(run->device(), shape.rows, shape.cols, add, from_stride, from + 1,
                                             to_stride, to + 2));
        run->Output(to, shape.rows * to_stride);
      }
    });
  }
}

}  // namespace syncline
