#ifndef SYNCLINE_WORKER_BACKEND_CPU_CPU_BACKEND_H_
#define SYNCLINE_WORKER_BACKEND_CPU_CPU_BACKEND_H_

#include "worker/backend/backend.h"

namespace syncline {

// The backend of this processor: products by OpenBLAS, the rest by loops for AVX-512, AVX2 or
// x86-64-v2, whichever it has. Never null; thread-safe. The same inputs on the same kind of machine
// with the same number of threads give the same bits, run after run.
const Backend* CpuBackend();

}  // namespace syncline

#endif  // SYNCLINE_WORKER_BACKEND_CPU_CPU_BACKEND_H_
