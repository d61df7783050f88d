#include "worker/model/activation.h"

namespace syncline {

absl::Status ActivationLayer::Prepare(const Device* device, int, int, LayerTensors) {
  device_ = device;
  return absl::OkStatus();
}

absl::Status ActivationLayer::Forward(const Pass& pass, const float* x, float* y) {
  // The table's input is writable only for the sake of a bias, of which there is none.
  return device_->Run(&Backend::bias_activation, activation_, pass.rows, units_, nullptr,
                      const_cast<float*>(x), y);
}

absl::Status ActivationLayer::Backward(const Pass& pass, const float* x, const float* y, float* dy,
                                       float* dx, const GradientMade&) {
  if (dx == nullptr) return absl::OkStatus();
  return device_->Run(&Backend::activation_backward, activation_,
                      static_cast<size_t>(pass.rows) * units_, x, y, dy, dx);
}

}  // namespace syncline
