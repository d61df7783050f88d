#include "worker/model/vector_products.h"

namespace syncline {

absl::Status FactorizationLayer::Prepare(const Device* device, int, int, LayerTensors) {
  device_ = device;
  return absl::OkStatus();
}

absl::Status FactorizationLayer::Forward(const Pass& pass, const float* x, float* y) {
  return device_->Run(&Backend::factorization, pass.rows, vectors_, dim_, x, y);
}

absl::Status FactorizationLayer::Backward(const Pass& pass, const float* x, const float*, float* dy, float* dx,
                                          const GradientMade&) {
  if (dx == nullptr) return absl::OkStatus();
  return device_->Run(&Backend::factorization_backward, pass.rows, vectors_, dim_, x, dy, dx);
}

absl::Status InteractionLayer::Prepare(const Device* device, int, int, LayerTensors) {
  device_ = device;
  return absl::OkStatus();
}

absl::Status InteractionLayer::Forward(const Pass& pass, const float* x, float* y) {
  return device_->Run(&Backend::interaction, pass.rows, vectors_, dim_, x, y);
}

absl::Status InteractionLayer::Backward(const Pass& pass, const float* x, const float*, float* dy, float* dx,
                                        const GradientMade&) {
  if (dx == nullptr) return absl::OkStatus();
  return device_->Run(&Backend::interaction_backward, pass.rows, vectors_, dim_, x, dy, dx);
}

}  // namespace syncline
