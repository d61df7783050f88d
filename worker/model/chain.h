#ifndef SYNCLINE_WORKER_MODEL_CHAIN_H_
#define SYNCLINE_WORKER_MODEL_CHAIN_H_

#include <memory>
#include <vector>

#include "worker/model/layer.h"

namespace syncline {

// Layers one after the other within another layer, with memory for what lies between them. At least one.
class LayerChain {
 public:
  explicit LayerChain(std::vector<std::unique_ptr<ModelLayer>> layers);

  int units() const { return layers_.back()->units(); }
  std::vector<ParameterSpec> parameters() const;
  absl::Status Prepare(const Device* device, int rows, int slots, const LayerTensors& tensors);

  // Leaves in *y what the last layer gives: memory of the chain's own.
  absl::Status Forward(const Pass& pass, const float* x, const float** y);
  // As ModelLayer::Backward, of the parameters of the chain.
  absl::Status Backward(const Pass& pass, const float* x, float* dy, float* dx,
                        const ModelLayer::GradientMade& made);

 private:
  float* output(size_t layer, const Pass& pass) const {
    return outputs_[layer].floats() + static_cast<size_t>(pass.slot) * rows_ * layers_[layer]->units();
  }

  const std::vector<std::unique_ptr<ModelLayer>> layers_;
  std::vector<size_t> first_;  // parameter of each layer, and how many there are
  int rows_ = 0;
  std::vector<DeviceMemory> outputs_;
  DeviceMemory slopes_[2];  // gradients of what lies between, used in turn
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_CHAIN_H_
