#ifndef SYNCLINE_TESTS_GPU_MLP_H_
#define SYNCLINE_TESTS_GPU_MLP_H_

#include <cstdint>
#include <vector>

#include "worker/backend/backend.h"

namespace syncline {

// The MLP of the main job (linear, ReLU, ..., softmax cross-entropy) straight over the C table:
// what worker/model does, without the libraries that a GPU machine may lack. Any error ends the
// program.
class Mlp {
 public:
  // `widths` from the input to the classes, e.g. {784, 512, 256, 10}.
  Mlp(const Backend& backend, const BackendOptions& options, std::vector<int> widths, int rows);
  ~Mlp();
  Mlp(const Mlp&) = delete;
  Mlp& operator=(const Mlp&) = delete;

  // All weights and biases, layer by layer: for each, weight [out, in], then bias [out].
  void SetParameters(const std::vector<float>& values);
  std::vector<float> Gradients();
  void SetBatch(const std::vector<float>& features, const std::vector<int32_t>& labels);

  // Submits one forward and backward pass over the batch.
  void Step();
  void Synchronize();
  float LossSum();

  size_t parameter_count() const { return parameter_count_; }
  // Floating-point operations of the products of one step.
  double flops() const;

 private:
  struct Layer {
    int in, out;
    float *weight, *bias, *weight_gradient, *bias_gradient;  // into the two blocks
    float *output, *slope;                                   // [rows, out]
  };

  float* Floats(size_t count);
  void Check(int code) const;
  void Copy(void* to, const void* from, size_t bytes);

  const Backend& table_;
  const int rows_;
  BackendDevice* device_ = nullptr;
  std::vector<void*> memory_;
  std::vector<Layer> layers_;
  size_t parameter_count_ = 0;
  float* parameters_;
  float* gradients_;
  float* features_;
  float* loss_sum_;
  int32_t* labels_;
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_GPU_MLP_H_
