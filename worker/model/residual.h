#ifndef SYNCLINE_WORKER_MODEL_RESIDUAL_H_
#define SYNCLINE_WORKER_MODEL_RESIDUAL_H_

#include <memory>
#include <vector>

#include "worker/model/layer.h"

namespace syncline {

// y = x + layers(x) (He et al. 2016). The layers' last width is that of x.
class ResidualLayer : public ModelLayer {
 public:
  // At least one layer.
  explicit ResidualLayer(std::vector<std::unique_ptr<ModelLayer>> layers);

  int units() const override { return layers_.back()->units(); }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  float* output(size_t layer, const Pass& pass) const {
    return outputs_[layer].floats() + static_cast<size_t>(pass.slot) * rows_ * layers_[layer]->units();
  }

  const std::vector<std::unique_ptr<ModelLayer>> layers_;
  std::vector<size_t> first_;  // parameter of each
  const Device* device_ = nullptr;
  int rows_ = 0;
  std::vector<DeviceMemory> outputs_;  // of each layer, by slot
  DeviceMemory slopes_[2];             // used in turn
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_RESIDUAL_H_
