#include "worker/model/residual.h"

#include "common/status/status_macros.h"

namespace syncline {

absl::Status ResidualLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  SYNCLINE_ASSIGN_OR_RETURN(slope_, DeviceMemory::Allocate(device, sizeof(float) * rows * units()));
  return layers_.Prepare(device, rows, slots, tensors);
}

absl::Status ResidualLayer::Forward(const Pass& pass, const float* x, float* y) {
  const size_t n = static_cast<size_t>(pass.rows) * units();
  const float* last;
  SYNCLINE_RETURN_IF_ERROR(layers_.Forward(pass, x, &last));
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, y, x, sizeof(float) * n));
  return device_->Run(&Backend::add, n, last, y);
}

absl::Status ResidualLayer::Backward(const Pass& pass, const float* x, const float*, float* dy, float* dx,
                                     const GradientMade& made) {
  if (dx == nullptr) return layers_.Backward(pass, x, dy, nullptr, made);
  const size_t n = static_cast<size_t>(pass.rows) * units();
  // The layers may overwrite dy, of which dx is the other part.
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, dx, dy, sizeof(float) * n));
  SYNCLINE_RETURN_IF_ERROR(layers_.Backward(pass, x, dy, slope_.floats(), made));
  return device_->Run(&Backend::add, n, slope_.floats(), dx);
}

}  // namespace syncline
