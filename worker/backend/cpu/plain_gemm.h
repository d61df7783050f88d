#ifndef SYNCLINE_WORKER_BACKEND_CPU_PLAIN_GEMM_H_
#define SYNCLINE_WORKER_BACKEND_CPU_PLAIN_GEMM_H_

namespace syncline {

// Backend::gemm for machines without OpenBLAS: vectorised and blocked for the caches, one thread,
// a fifth or so of OpenBLAS' speed. Deterministic.
void PlainGemm(bool transpose_a, bool transpose_b, int m, int n, int k, float alpha,
               const float* a, const float* b, float beta, float* c);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_PLAIN_GEMM_H_
