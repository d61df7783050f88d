#ifndef SYNCLINE_WORKER_MODEL_RESIDUAL_H_
#define SYNCLINE_WORKER_MODEL_RESIDUAL_H_

#include <memory>
#include <vector>

#include "worker/model/chain.h"
#include "worker/model/layer.h"

namespace syncline {

// y = x + layers(x) (He et al. 2016). The layers' last width is that of x.
class ResidualLayer : public ModelLayer {
 public:
  // At least one layer.
  explicit ResidualLayer(std::vector<std::unique_ptr<ModelLayer>> layers) : layers_(std::move(layers)) {}

  int units() const override { return layers_.units(); }
  std::vector<ParameterSpec> parameters() const override { return layers_.parameters(); }
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  LayerChain layers_;
  const Device* device_ = nullptr;
  DeviceMemory slope_;  // the layers' part of dx
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_RESIDUAL_H_
