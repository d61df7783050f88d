#ifndef SYNCLINE_WORKER_MODEL_ACTIVATION_H_
#define SYNCLINE_WORKER_MODEL_ACTIVATION_H_

#include "worker/model/layer.h"

namespace syncline {

// y = activation(x), where no linear layer comes just before it to fuse it into.
class ActivationLayer : public ModelLayer {
 public:
  ActivationLayer(int units, BackendActivation activation)
      : units_(units), activation_(activation) {}

  int units() const override { return units_; }
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const int units_;
  const BackendActivation activation_;
  const Device* device_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_ACTIVATION_H_
