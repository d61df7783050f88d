#ifndef SYNCLINE_WORKER_MODEL_LINEAR_H_
#define SYNCLINE_WORKER_MODEL_LINEAR_H_

#include <string>

#include "worker/model/layer.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// y = activation(x W^T + b), the activation fused into the pass that adds the bias, for each position of a row.
//
// "<prefix>.weight" is [units, inputs], as in PyTorch: both layouts are equally fast with OpenBLAS
// here, and this one can be handed over as it is. "<prefix>.bias" is [units]. Both start uniform in
// +-1/sqrt(inputs), PyTorch's default.
//
// The processes of a group may share it: by columns, each makes some of the units from all inputs, and the gradients of
// the inputs are summed; or by rows, each has some of the inputs, and what they make of them is summed before the
// bias, of which each has all.
class LinearLayer : public ModelLayer {
 public:
  // `group` is needed where inputs or units, one of the two, are split.
  LinearLayer(std::string prefix, int positions, const AxisPart& inputs, const AxisPart& units, bool bias,
              TensorGroup* group = nullptr);

  // Applies `activation` to the output; at most once, before Prepare.
  void Fuse(BackendActivation activation) { activation_ = activation; }
  bool fused() const { return activation_ != kIdentity; }

  int units() const override { return positions_ * units_.here(); }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const std::string prefix_;
  const int positions_;
  const AxisPart inputs_;
  const AxisPart units_;
  const bool bias_;
  TensorGroup* const group_;
  BackendActivation activation_ = kIdentity;

  float* BeforeActivation(const Pass& pass) const {
    return before_activation_.floats() + static_cast<size_t>(pass.slot) * rows_ * units();
  }

  const Device* device_ = nullptr;
  int rows_ = 0;
  LayerTensors tensors_;
  // gelu only: x W^T + b, which its derivative needs, by slot.
  DeviceMemory before_activation_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_LINEAR_H_
