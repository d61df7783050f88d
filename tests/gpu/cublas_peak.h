#ifndef SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_
#define SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_

namespace syncline {

// What cuBLAS itself reaches on device 0 with one n x n x n product, without our code between. 0 if
// it can't be run.
double CublasPeakGflops(int n, bool tf32);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_
