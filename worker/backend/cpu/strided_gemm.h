#ifndef SYNCLINE_WORKER_BACKEND_CPU_STRIDED_GEMM_H_
#define SYNCLINE_WORKER_BACKEND_CPU_STRIDED_GEMM_H_

namespace syncline {

// A row-major matrix inside a wider one: rows begin `stride` floats apart.
template <typename T>
struct Strided {
  T* data;
  int stride;
};

// C[m,n] = alpha op(A) op(B) + beta C, as Backend::gemm, of parts of matrices.
void StridedGemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
                 Strided<const float> a, Strided<const float> b, float beta, Strided<float> c);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_STRIDED_GEMM_H_
