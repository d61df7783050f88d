#include "worker/model/sum.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

SumLayer::SumLayer(std::string prefix, int vectors, int dim, bool bias)
    : prefix_(std::move(prefix)), vectors_(vectors), dim_(dim), bias_(bias) {}

std::vector<ParameterSpec> SumLayer::parameters() const {
  if (!bias_) return {};
  return {{prefix_ + ".bias", {dim_}, {InitializerKind::kZeros, 0.0, 0.0}}};
}

absl::Status SumLayer::Prepare(const Device* device, int, int, LayerTensors tensors) {
  device_ = device;
  tensors_ = std::move(tensors);
  return absl::OkStatus();
}

absl::Status SumLayer::Forward(const Pass& pass, const float* x, float* y) {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::vector_sum, pass.rows, vectors_, dim_, x, y));
  if (!bias_) return absl::OkStatus();
  return device_->Run(&Backend::bias_activation, kIdentity, pass.rows, dim_, tensors_.values[0], y, y);
}

absl::Status SumLayer::Backward(const Pass& pass, const float*, const float*, float* dy, float* dx,
                                const GradientMade& made) {
  if (bias_) {
    SYNCLINE_RETURN_IF_ERROR(
        device_->Run(&Backend::column_sum, pass.rows, dim_, pass.add, dy, tensors_.gradients[0]));
    SYNCLINE_RETURN_IF_ERROR(made(0));
  }
  if (dx == nullptr) return absl::OkStatus();
  return device_->Run(&Backend::vector_sum_backward, pass.rows, vectors_, dim_, dy, dx);
}

}  // namespace syncline
