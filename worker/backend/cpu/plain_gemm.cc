#include "worker/backend/cpu/plain_gemm.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "worker/backend/cpu/vectorise.h"

namespace syncline {
namespace {

// A block of op(B) is [kDepth, kWidth] floats, 128 KiB: it stays in the second-level cache while
// all rows of A pass over it.
constexpr int kDepth = 128;
constexpr int kWidth = 256;
constexpr int kRows = 4;

// Where the rows and columns of op(X) lie: element (r, c) is at data[r * row + c * column].
struct Strided {
  const float* data;
  size_t row;
  size_t column;
};

void Scale(size_t n, float beta, float* c) {
  if (beta == 0.0f) {
    std::fill_n(c, n, 0.0f);
  } else if (beta != 1.0f) {
    Vectorise([=]() SYNCLINE_INLINE {
      for (size_t i = 0; i < n; ++i) c[i] *= beta;
    });
  }
}

// Copies the block of op(B) that begins at (depth, column) into `block`, rows of kWidth.
void Pack(const Strided& b, int depth, int column, int depths, int columns, float* block) {
  for (int p = 0; p < depths; ++p) {
    const float* from = b.data + (depth + p) * b.row + column * b.column;
    for (int j = 0; j < columns; ++j) block[p * kWidth + j] = from[j * b.column];
  }
}

// kRows rows of C += alpha * A block * B block. `a` holds alpha * A as [depths][kRows].
void MultiplyRows(int depths, int columns, const float* a, const float* block, size_t stride,
                  float* c) {
  Vectorise([=]() SYNCLINE_INLINE {
    for (int p = 0; p < depths; ++p) {
      const float* __restrict b = block + p * kWidth;
      float* __restrict c0 = c;
      float* __restrict c1 = c + stride;
      float* __restrict c2 = c + 2 * stride;
      float* __restrict c3 = c + 3 * stride;
      const float a0 = a[p * kRows], a1 = a[p * kRows + 1];
      const float a2 = a[p * kRows + 2], a3 = a[p * kRows + 3];
      for (int j = 0; j < columns; ++j) {
        c0[j] += a0 * b[j];
        c1[j] += a1 * b[j];
        c2[j] += a2 * b[j];
        c3[j] += a3 * b[j];
      }
    }
  });
}

}  // namespace

void PlainGemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
               const float* a, const float* b, float beta, float* c) {
  const size_t width = n;
  Scale(m * width, beta, c);
  const Strided op_a = transpose_a ? Strided{a, 1, static_cast<size_t>(m)}
                                   : Strided{a, static_cast<size_t>(k), 1};
  const Strided op_b = transpose_b ? Strided{b, 1, static_cast<size_t>(k)} : Strided{b, width, 1};
  std::vector<float> block(kDepth * kWidth), rows_of_a(kDepth * kRows), rows_of_c(kRows * kWidth);
  for (int column = 0; column < n; column += kWidth) {
    const int columns = std::min(kWidth, n - column);
    for (int depth = 0; depth < k; depth += kDepth) {
      const int depths = std::min(kDepth, k - depth);
      Pack(op_b, depth, column, depths, columns, block.data());
      for (int row = 0; row < m; row += kRows) {
        const int rows = std::min(kRows, m - row);
        for (int i = 0; i < kRows; ++i) {
          const float* from = op_a.data + (row + i) * op_a.row + depth * op_a.column;
          for (int p = 0; p < depths; ++p) {
            rows_of_a[p * kRows + i] = i < rows ? alpha * from[p * op_a.column] : 0.0f;
          }
        }
        if (rows == kRows) {
          MultiplyRows(depths, columns, rows_of_a.data(), block.data(), width,
                       c + row * width + column);
          continue;
        }
        std::fill(rows_of_c.begin(), rows_of_c.end(), 0.0f);
        MultiplyRows(depths, columns, rows_of_a.data(), block.data(), kWidth, rows_of_c.data());
        for (int i = 0; i < rows; ++i) {
          float* to = c + (row + i) * width + column;
          for (int j = 0; j < columns; ++j) to[j] += rows_of_c[i * kWidth + j];
        }
      }
    }
  }
}

}  // namespace syncline
