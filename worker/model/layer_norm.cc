#include "worker/model/layer_norm.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

LayerNormLayer::LayerNormLayer(std::string prefix, int units, float epsilon)
    : prefix_(std::move(prefix)), units_(units), epsilon_(epsilon) {}

std::vector<ParameterSpec> LayerNormLayer::parameters() const {
  return {{prefix_ + ".weight", {units_}, {InitializerKind::kConstant, 1.0, 0.0}},
          {prefix_ + ".bias", {units_}, {InitializerKind::kZeros, 0.0, 0.0}}};
}

absl::Status LayerNormLayer::Prepare(const Device* device, int rows, LayerTensors tensors) {
  device_ = device;
  tensors_ = std::move(tensors);
  SYNCLINE_ASSIGN_OR_RETURN(mean_, DeviceMemory::Allocate(device, sizeof(float) * rows));
  SYNCLINE_ASSIGN_OR_RETURN(rstd_, DeviceMemory::Allocate(device, sizeof(float) * rows));
  return absl::OkStatus();
}

absl::Status LayerNormLayer::Forward(const Pass& pass, const float* x, float* y) {
  return device_->Run(&Backend::layer_norm, pass.rows, units_, epsilon_, x, tensors_.values[0],
                      tensors_.values[1], y, mean_.floats(), rstd_.floats());
}

absl::Status LayerNormLayer::Backward(const Pass& pass, const float* x, const float*, float* dy,
                                      float* dx, const GradientMade& made) {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::layer_norm_backward, pass.rows, units_, x,
                                        tensors_.values[0], mean_.floats(), rstd_.floats(), dy, dx,
                                        tensors_.gradients[0], tensors_.gradients[1]));
  SYNCLINE_RETURN_IF_ERROR(made(1));
  return made(0);
}

}  // namespace syncline
