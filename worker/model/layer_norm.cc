#include "worker/model/layer_norm.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

LayerNormLayer::LayerNormLayer(std::string prefix, int positions, int units, float epsilon)
    : prefix_(std::move(prefix)), positions_(positions), units_(units), epsilon_(epsilon) {}

std::vector<ParameterSpec> LayerNormLayer::parameters() const {
  return {{prefix_ + ".weight", {units_}, {InitializerKind::kConstant, 1.0, 0.0}},
          {prefix_ + ".bias", {units_}, {InitializerKind::kZeros, 0.0, 0.0}}};
}

absl::Status LayerNormLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  rows_ = rows;
  const size_t bytes = sizeof(float) * rows * positions_ * slots;
  tensors_ = std::move(tensors);
  SYNCLINE_ASSIGN_OR_RETURN(mean_, DeviceMemory::Allocate(device, bytes));
  SYNCLINE_ASSIGN_OR_RETURN(rstd_, DeviceMemory::Allocate(device, bytes));
  return absl::OkStatus();
}

absl::Status LayerNormLayer::Forward(const Pass& pass, const float* x, float* y) {
  return device_->Run(&Backend::layer_norm, pass.rows * positions_, units_, epsilon_, x, tensors_.values[0],
                      tensors_.values[1], y, Kept(mean_, pass), Kept(rstd_, pass));
}

absl::Status LayerNormLayer::Backward(const Pass& pass, const float* x, const float*, float* dy,
                                      float* dx, const GradientMade& made) {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::layer_norm_backward, pass.rows * positions_, units_, pass.add,
                                        x, tensors_.values[0], Kept(mean_, pass), Kept(rstd_, pass),
                                        dy, dx, tensors_.gradients[0], tensors_.gradients[1]));
  SYNCLINE_RETURN_IF_ERROR(made(1));
  return made(0);
}

}  // namespace syncline
