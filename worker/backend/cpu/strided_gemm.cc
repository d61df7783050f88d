#include "worker/backend/cpu/strided_gemm.h"

#include <algorithm>
#include <vector>

#include "worker/backend/cpu/blas.h"
#include "worker/backend/cpu/plain_gemm.h"

namespace syncline {
namespace {

constexpr int kRowMajor = 101;
constexpr int kNoTranspose = 111;
constexpr int kTranspose = 112;

std::vector<float> Packed(int rows, int cols, Strided<const float> from) {
  std::vector<float> packed(static_cast<size_t>(rows) * cols);
  for (int r = 0; r < rows; ++r) {
    std::copy_n(from.data + static_cast<size_t>(r) * from.stride, cols,
                packed.data() + static_cast<size_t>(r) * cols);
  }
  return packed;
}

}  // namespace

void StridedGemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
                 Strided<const float> a, Strided<const float> b, float beta, Strided<float> c) {
  if (const SgemmFunction sgemm = LoadBlas().sgemm) {
    sgemm(kRowMajor, transpose_a ? kTranspose : kNoTranspose, transpose_b ? kTranspose : kNoTranspose,
          m, n, k, alpha, a.data, a.stride, b.data, b.stride, beta, c.data, c.stride);
    return;
  }
  // PlainGemm takes tight matrices.
  const std::vector<float> tight_a = Packed(transpose_a ? k : m, transpose_a ? m : k, a);
  const std::vector<float> tight_b = Packed(transpose_b ? n : k, transpose_b ? k : n, b);
  std::vector<float> tight_c = Packed(m, n, {c.data, c.stride});
  PlainGemm(transpose_a, transpose_b, m, n, k, alpha, tight_a.data(), tight_b.data(), beta, tight_c.data());
  for (int r = 0; r < m; ++r) {
    std::copy_n(tight_c.data() + static_cast<size_t>(r) * n, n,
                c.data + static_cast<size_t>(r) * c.stride);
  }
}

}  // namespace syncline
