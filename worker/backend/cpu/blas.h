#ifndef SYNCLINE_WORKER_BACKEND_CPU_BLAS_H_
#define SYNCLINE_WORKER_BACKEND_CPU_BLAS_H_

// OpenBLAS, loaded at run time rather than linked, for two reasons.
//
// It picks its kernels by the model number of the processor when it is loaded, and a release takes
// a processor newer than itself for a Prescott (SSE3): 0.3.21 is 4 times slower than it could be on
// an Emerald Rapids. Loading it ourselves, we first name the kernels that this processor's features
// allow (OPENBLAS_CORETYPE; one that the user has set wins).
//
// And a machine without it (a GPU machine, say) can run the same binary, with PlainGemm.

namespace syncline {

// cblas_sgemm, with its enums as ints.
using SgemmFunction = void (*)(int order, int transpose_a, int transpose_b, int m, int n, int k,
                               float alpha, const float* a, int lda, const float* b, int ldb,
                               float beta, float* c, int ldc);

struct Blas {
  SgemmFunction sgemm;         // null: libopenblas.so.0 is not there
  void (*set_threads)(int);    // for the whole process; null as above
  const char* kernels;         // "SkylakeX", "Haswell", ...; "" as above
};

// Loads OpenBLAS on the first call, which should come before other threads read the environment.
// Thread-safe.
const Blas& LoadBlas();

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_BLAS_H_
