// What layers are made of.

#include "worker/backend/conformance/comparison.h"

namespace syncline {

void CompareProducts(Comparison* comparison) {
  constexpr int kSizes[][3] = {{1, 1, 1},   {2, 3, 5},      {4, 4, 4},     {7, 1, 9},  {33, 17, 65},
                               {5, 300, 1}, {128, 10, 256}, {64, 129, 70}, {3, 2, 0}};
  for (const auto& size : kSizes) {
    for (int form = 0; form < 8; ++form) {
      const int m = size[0], n = size[1], k = size[2];
      const int ta = form & 1, tb = form >> 1 & 1;
      const float alpha = form & 4 ? 0.5f : 1.0f, beta = form & 4 ? -2.0f : 0.0f;
      const std::string shape = std::to_string(m) + "x" + std::to_string(n) + "x" +
                                std::to_string(k) + (ta ? " T" : " N") + (tb ? "T" : "N");
      comparison->Case("gemm", 1e-5, shape, [=](Run* run) {
        const float *a = run->Floats(m * k), *b = run->Floats(k * n);
        float* c = run->Floats(m * n);
        run->Check(run->table().gemm(run->device(), ta, tb, m, n, k, alpha, a, b, beta, c));
        run->Output(c, m * n);
      });
    }
  }
}

void CompareActivations(Comparison* comparison) {
  constexpr const char* kNames[] = {"identity", "relu", "gelu", "tanh", "sigmoid"};
  for (int activation = kIdentity; activation <= kSigmoid; ++activation) {
    for (const Shape& shape : kShapes) {
      const int n = shape.rows * shape.cols;
      for (const bool bias : {false, true}) {
        for (const bool in_place : {false, true}) {
          comparison->Case(kNames[activation], 2e-6, Text(shape), [=](Run* run) {
            const float* b = run->Floats(shape.cols);
            float* x = run->Floats(n, -6.0f, 6.0f);
            float* y = in_place ? x : run->Floats(n);
            run->Check(run->table().bias_activation(run->device(), activation, shape.rows,
                                                    shape.cols, bias ? b : nullptr, x, y));
            run->Output(x, n);
            run->Output(y, n);
          });
        }
      }
    }
  }
  for (int activation = kIdentity; activation <= kSigmoid; ++activation) {
    for (const Shape& shape : kShapes) {
      const int n = shape.rows * shape.cols;
      const std::string operation = std::string(kNames[activation]) + " backward";
      comparison->Case(operation, 5e-6, Text(shape), [=](Run* run) {
        const float *x = run->Floats(n, -6.0f, 6.0f), *y = run->Floats(n);
        const bool reads_x = activation == kGelu;
        float* dy = run->Floats(n);
        run->Check(run->table().activation_backward(run->device(), activation, n,
                                                    reads_x ? x : nullptr, reads_x ? nullptr : y,
                                                    dy, dy));
        run->Output(dy, n);
      });
    }
  }
}

void CompareRowsAndColumns(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    const int n = shape.rows * shape.cols;
    for (const int add : {0, 1}) {
      comparison->Case("column_sum", 1e-5, Text(shape), [=](Run* run) {
        const float* x = run->Floats(n);
        float* sum = run->Floats(shape.cols);
        run->Check(run->table().column_sum(run->device(), shape.rows, shape.cols, add, x, sum));
        run->Output(sum, shape.cols);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    const int n = shape.rows * shape.cols;
    for (const uint64_t offset : {uint64_t{0}, (uint64_t{1} << 32) - 3, (uint64_t{7} << 32) + 5}) {
      comparison->Case("dropout", 1e-6, Text(shape), [=](Run* run) {
        const float* x = run->Floats(n);
        float* y = run->Floats(n);
        run->Check(run->table().dropout(run->device(), n, 0.3f, 0x123456789abcdefu, offset, x, y));
        run->Output(y, n);
      });
    }
  }
  for (const Shape& shape : kShapes) {
    for (const int add : {0, 1}) {
      comparison->Case("layer_norm", 1e-4, Text(shape), [=](Run* run) {
        const int rows = shape.rows, cols = shape.cols, n = rows * cols;
        const float *x = run->Floats(n, 0.0f, 4.0f), *gamma = run->Floats(cols);
        const float *beta = run->Floats(cols), *dy = run->Floats(n);
        float *y = run->Floats(n), *mean = run->Floats(rows), *rstd = run->Floats(rows);
        float *dx = run->Floats(n), *dgamma = run->Floats(cols), *dbeta = run->Floats(cols);
        run->Check(run->table().layer_norm(run->device(), rows, cols, 1e-2f, x, gamma, beta, y, mean,
                                           rstd));
        run->Check(run->table().layer_norm_backward(run->device(), rows, cols, add, x, gamma, mean,
                                                    rstd, dy, dx, dgamma, dbeta));
        for (const float* matrix : {static_cast<const float*>(y), static_cast<const float*>(dx)}) {
          run->Output(matrix, n);
        }
        for (const float* row : {dgamma, dbeta}) run->Output(row, cols);
        for (const float* column : {mean, rstd}) run->Output(column, rows);
      });
    }
  }
}

namespace {

struct Tokens {
  int rows, positions, width, vocabulary, heads;
  std::string Text() const {
    return "[" + std::to_string(rows) + "," + std::to_string(positions) + "," + std::to_string(width) + "] of " +
           std::to_string(vocabulary) + " tokens, " + std::to_string(heads) + " heads";
  }
};
constexpr Tokens kTokens[] = {{1, 1, 1, 1, 1}, {2, 5, 6, 3, 2}, {3, 33, 24, 50, 3}, {4, 64, 64, 90, 4}};

}  // namespace

void CompareSequences(Comparison* comparison) {
  for (const Shape& shape : kShapes) {
    comparison->Case("add", 1e-6, Text(shape), [=](Run* run) {
      const int n = shape.rows * shape.cols;
      const float* x = run->Floats(n);
      float* y = run->Floats(n);
      run->Check(run->table().add(run->device(), n, x, y));
      run->Output(y, n);
    });
  }
  for (const Tokens& t : kTokens) {
    for (const int wrong : {0, 1}) {
      comparison->Case("embed", 1e-5, t.Text(), [=](Run* run) {
        const int n = t.rows * t.positions * t.width;
        const float* tokens = run->Upload(run->Whole(t.rows * t.positions, -wrong, t.vocabulary + wrong));
        const float *table = run->Floats(t.vocabulary * t.width), *places = run->Floats(t.positions * t.width);
        const float* dy = run->Floats(n);
        float *y = run->Floats(n), *dtable = run->Floats(t.vocabulary * t.width);
        float* dplaces = run->Floats(t.positions * t.width);
        run->Check(run->table().embed(run->device(), t.rows, t.positions, t.width, t.vocabulary, tokens, table,
                                      places, y));
        run->Check(run->table().embed_backward(run->device(), t.rows, t.positions, t.width, t.vocabulary, wrong,
                                               tokens, dy, dtable, dplaces));
        run->Output(y, n);
        run->Output(dtable, t.vocabulary * t.width);
        run->Output(dplaces, t.positions * t.width);
      });
    }
    comparison->Case("attention", 1e-4, t.Text(), [=](Run* run) {
      const int n = t.rows * t.positions * t.width, w = t.rows * t.heads * t.positions * t.positions;
      const float *qkv = run->Floats(3 * n, -2.0f, 2.0f), *dy = run->Floats(n);
      float *weights = run->Floats(w), *scratch = run->Floats(w), *y = run->Floats(n), *dqkv = run->Floats(3 * n);
      run->Check(run->table().attention(run->device(), t.rows, t.positions, t.heads, t.width, qkv, weights, y));
      run->Check(run->table().attention_backward(run->device(), t.rows, t.positions, t.heads, t.width, qkv,
                                                 weights, dy, scratch, dqkv));
      run->Output(y, n);
      run->Output(weights, w);
      run->Output(dqkv, 3 * n);
    });
  }
}

}  // namespace syncline
