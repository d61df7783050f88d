#include "worker/backend/cpu/blas.h"
#include "worker/backend/cpu/operations.h"
#include "worker/backend/cpu/plain_gemm.h"
#include "worker/backend/error.h"

namespace syncline {
namespace {

constexpr int kRowMajor = 101;
constexpr int kNoTranspose = 111;
constexpr int kTranspose = 112;

int Gemm(BackendDevice*, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
         const float* a, const float* b, float beta, float* c) {
  if (m < 0 || n < 0 || k < 0) {
    return BackendFail(kBackendInvalid, "gemm: sizes %d, %d, %d must not be negative", m, n, k);
  }
  if (m == 0 || n == 0) return kBackendOk;
  const SgemmFunction sgemm = LoadBlas().sgemm;
  if (sgemm == nullptr || k == 0) {
    PlainGemm(transpose_a != 0, transpose_b != 0, m, n, k, alpha, a, b, beta, c);
    return kBackendOk;
  }
  sgemm(kRowMajor, transpose_a ? kTranspose : kNoTranspose,
        transpose_b ? kTranspose : kNoTranspose, m, n, k, alpha, a, transpose_a ? m : k, b,
        transpose_b ? k : n, beta, c, n);
  return kBackendOk;
}

}  // namespace

void AddGemm(Backend* table) { table->gemm = Gemm; }

}  // namespace syncline
