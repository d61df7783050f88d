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
  void Step() { Submit(/*copies=*/false); }
  // The same with all that a shard would see of it, as worker/model does it: a layer's parameters
  // come from pinned host memory before it computes, its gradients go there as soon as they are
  // made. The next step's parameters wait for this one's gradients, as they would in `sync`; they
  // are those that were set when this was first called.
  void StepWithCopies();
  // Those copies without the computing.
  void CopiesOfAStep();
  void Synchronize();
  float LossSum();

  size_t parameter_count() const { return parameter_count_; }
  // Floating-point operations of the products of one step.
  double flops() const;

 private:
  struct Layer {
    int in, out;
    size_t at;                                               // where it begins in the two blocks
    float *weight, *bias, *weight_gradient, *bias_gradient;  // into the two blocks
    float *output, *slope;                                   // [rows, out]
  };

  float* Floats(size_t count);
  void Check(int code) const;
  void Copy(void* to, const void* from, size_t bytes);
  void PrepareCopies();
  void Submit(bool copies);
  void Forward(bool copies);
  void Backward(bool copies);
  void Upload(const Layer& layer);
  void Download(const Layer& layer);
  void EndOfDownloads();

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
  // Null until copies are wanted.
  float* host_parameters_ = nullptr;
  float* host_gradients_ = nullptr;
  BackendEvent* uploaded_ = nullptr;  // each is recorded anew for every layer
  BackendEvent* made_ = nullptr;
  BackendEvent* downloaded_ = nullptr;  // the end of a step's last download
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_GPU_MLP_H_
