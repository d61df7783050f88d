#include "worker/model/attention.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {
namespace {

// What the heads of a process have of `blocks` times the width.
AxisPart OfHeads(int blocks, int units, int heads, const TensorGroup* group) {
  const AxisPart part = AxisPart::Of(heads, group);
  const int each = units / heads;
  return {blocks, units, part.begin * each, part.end * each};
}

}  // namespace

AttentionLayer::AttentionLayer(const std::string& prefix, int positions, int units, int heads, TensorGroup* group)
    : positions_(positions),
      units_(units),
      heads_(AxisPart::Of(heads, group).here()),
      width_(OfHeads(1, units, heads, group).here()),
      qkv_(prefix + ".qkv", positions, AxisPart::Whole(units), OfHeads(3, units, heads, group), true, group),
      out_(prefix + ".out", positions, OfHeads(1, units, heads, group), AxisPart::Whole(units), true, group) {}

std::vector<ParameterSpec> AttentionLayer::parameters() const {
  std::vector<ParameterSpec> specs = qkv_.parameters();
  for (ParameterSpec& spec : out_.parameters()) specs.push_back(std::move(spec));
  return specs;
}

absl::Status AttentionLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  rows_ = rows;
  const auto part = [&tensors](size_t first) {
    return LayerTensors{{tensors.values.begin() + first, tensors.values.begin() + first + 2},
                        {tensors.gradients.begin() + first, tensors.gradients.begin() + first + 2}};
  };
  SYNCLINE_RETURN_IF_ERROR(qkv_.Prepare(device, rows, slots, part(0)));
  SYNCLINE_RETURN_IF_ERROR(out_.Prepare(device, rows, slots, part(2)));
  const size_t row = sizeof(float) * rows;
  SYNCLINE_ASSIGN_OR_RETURN(projected_, DeviceMemory::Allocate(device, row * qkv_.units() * slots));
  SYNCLINE_ASSIGN_OR_RETURN(weights_, DeviceMemory::Allocate(device, row * weights() * slots));
  SYNCLINE_ASSIGN_OR_RETURN(mixed_, DeviceMemory::Allocate(device, row * positions_ * width_ * slots));
  SYNCLINE_ASSIGN_OR_RETURN(mixed_slope_, DeviceMemory::Allocate(device, row * positions_ * width_));
  SYNCLINE_ASSIGN_OR_RETURN(qkv_slope_, DeviceMemory::Allocate(device, row * qkv_.units()));
  SYNCLINE_ASSIGN_OR_RETURN(scratch_, DeviceMemory::Allocate(device, row * weights()));
  return absl::OkStatus();
}

absl::Status AttentionLayer::Forward(const Pass& pass, const float* x, float* y) {
  float* const projected = Kept(projected_, pass, qkv_.units());
  float* const mixed = Kept(mixed_, pass, positions_ * width_);
  SYNCLINE_RETURN_IF_ERROR(qkv_.Forward(pass, x, projected));
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::attention, pass.rows, positions_, heads_, width_, projected,
                                        Kept(weights_, pass, weights()), mixed));
  return out_.Forward(pass, mixed, y);
}

absl::Status AttentionLayer::Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                                      const GradientMade& made) {
  float* const projected = Kept(projected_, pass, qkv_.units());
  SYNCLINE_RETURN_IF_ERROR(out_.Backward(pass, Kept(mixed_, pass, positions_ * width_), y, dy, mixed_slope_.floats(),
                                         [&](int parameter) { return made(2 + parameter); }));
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::attention_backward, pass.rows, positions_, heads_, width_,
                                        projected, Kept(weights_, pass, weights()), mixed_slope_.floats(),
                                        scratch_.floats(), qkv_slope_.floats()));
  return qkv_.Backward(pass, x, projected, qkv_slope_.floats(), dx, made);
}

}  // namespace syncline
