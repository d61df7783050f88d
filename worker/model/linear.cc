#include "worker/model/linear.h"

#include <cmath>
#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

LinearLayer::LinearLayer(std::string prefix, int positions, const AxisPart& inputs, const AxisPart& units,
                         bool bias, TensorGroup* group)
    : prefix_(std::move(prefix)),
      positions_(positions),
      inputs_(inputs),
      units_(units),
      bias_(bias),
      group_(group) {}

std::vector<ParameterSpec> LinearLayer::parameters() const {
  const int64_t inputs = inputs_.whole();
  const double bound = 1.0 / std::sqrt(static_cast<double>(inputs));
  const InitialValue initial = {InitializerKind::kUniform, -bound, bound};
  TensorSlice weight, bias;
  if (inputs_.split()) weight = {inputs_.block, inputs_.begin, inputs_.end};
  if (units_.split()) {
    weight = {units_.block * inputs, units_.begin * inputs, units_.end * inputs};
    bias = {units_.block, units_.begin, units_.end};
  }
  std::vector<ParameterSpec> specs = {{prefix_ + ".weight", {units_.whole(), inputs}, initial, weight}};
  if (bias_) specs.push_back({prefix_ + ".bias", {units_.whole()}, initial, bias});
  return specs;
}

absl::Status LinearLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  rows_ = rows;
  tensors_ = std::move(tensors);
  if (activation_ != kGelu) return absl::OkStatus();
  const size_t bytes = sizeof(float) * rows * units() * slots;
  SYNCLINE_ASSIGN_OR_RETURN(before_activation_, DeviceMemory::Allocate(device, bytes));
  return absl::OkStatus();
}

absl::Status LinearLayer::Forward(const Pass& pass, const float* x, float* y) {
  const int rows = pass.rows * positions_;
  const int units = units_.here();
  float* product = activation_ == kGelu ? BeforeActivation(pass) : y;
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::gemm, 0, 1, rows, units, inputs_.here(), 1.0f, x,
                                        tensors_.values[0], 0.0f, product));
  if (inputs_.split()) SYNCLINE_RETURN_IF_ERROR(group_->Sum(product, static_cast<size_t>(rows) * units));
  if (!bias_ && activation_ == kIdentity) return absl::OkStatus();
  return device_->Run(&Backend::bias_activation, activation_, rows, units,
                      bias_ ? tensors_.values[1] : nullptr, product, y);
}

absl::Status LinearLayer::Backward(const Pass& pass, const float* x, const float* y, float* dy,
                                   float* dx, const GradientMade& made) {
  const int rows = pass.rows * positions_, units = units_.here(), inputs = inputs_.here();
  if (activation_ != kIdentity) {
    const size_t n = static_cast<size_t>(rows) * units;
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::activation_backward, activation_, n,
                                          activation_ == kGelu ? BeforeActivation(pass) : nullptr, y,
                                          dy, dy));
  }
  const auto make_dx = [&] {
    return device_->Run(&Backend::gemm, 0, 0, rows, inputs, units, 1.0f, dy, tensors_.values[0], 0.0f, dx);
  };
  // What the others make of it comes while the weights' gradient is computed.
  const bool sums = dx != nullptr && units_.split();
  if (sums) {
    SYNCLINE_RETURN_IF_ERROR(make_dx());
    SYNCLINE_RETURN_IF_ERROR(group_->StartSum(dx, static_cast<size_t>(rows) * inputs));
  }
  if (bias_) {
    SYNCLINE_RETURN_IF_ERROR(
        device_->Run(&Backend::column_sum, rows, units, pass.add, dy, tensors_.gradients[1]));
    SYNCLINE_RETURN_IF_ERROR(made(1));
  }
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::gemm, 1, 0, units, inputs, rows, 1.0f, dy,
                                        x, pass.add ? 1.0f : 0.0f, tensors_.gradients[0]));
  SYNCLINE_RETURN_IF_ERROR(made(0));
  if (sums) return group_->FinishSum();
  return dx == nullptr ? absl::OkStatus() : make_dx();
}

}  // namespace syncline
