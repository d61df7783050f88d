#ifndef SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_
#define SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_

namespace syncline {

// What a product of float32 matrices may round its inputs to.
enum class Products { kFloat32, kTf32, kBf16 };

// What cuBLAS itself reaches on device 0 with one n x n x n product, without our code between. 0 if
// it can't be run.
double CublasPeakGflops(int n, Products products);

}  // namespace syncline

#endif  // SYNCLINE_TESTS_GPU_CUBLAS_PEAK_H_
