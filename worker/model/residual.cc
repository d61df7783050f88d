#include "worker/model/residual.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

ResidualLayer::ResidualLayer(std::vector<std::unique_ptr<ModelLayer>> layers) : layers_(std::move(layers)) {
  size_t parameters = 0;
  for (const auto& layer : layers_) {
    first_.push_back(parameters);
    parameters += layer->parameters().size();
  }
  first_.push_back(parameters);
}

std::vector<ParameterSpec> ResidualLayer::parameters() const {
  std::vector<ParameterSpec> specs;
  for (const auto& layer : layers_) {
    for (ParameterSpec& spec : layer->parameters()) specs.push_back(std::move(spec));
  }
  return specs;
}

absl::Status ResidualLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  rows_ = rows;
  int widest = units();
  for (size_t i = 0; i < layers_.size(); ++i) {
    widest = std::max(widest, layers_[i]->units());
    const size_t bytes = sizeof(float) * rows * layers_[i]->units() * slots;
    SYNCLINE_ASSIGN_OR_RETURN(DeviceMemory output, DeviceMemory::Allocate(device, bytes));
    outputs_.push_back(std::move(output));
    LayerTensors own;
    own.values.assign(tensors.values.begin() + first_[i], tensors.values.begin() + first_[i + 1]);
    own.gradients.assign(tensors.gradients.begin() + first_[i], tensors.gradients.begin() + first_[i + 1]);
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Prepare(device, rows, slots, std::move(own)));
  }
  for (DeviceMemory& slope : slopes_) {
    SYNCLINE_ASSIGN_OR_RETURN(slope, DeviceMemory::Allocate(device, sizeof(float) * rows * widest));
  }
  return absl::OkStatus();
}

absl::Status ResidualLayer::Forward(const Pass& pass, const float* x, float* y) {
  const size_t n = static_cast<size_t>(pass.rows) * units();
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, y, x, sizeof(float) * n));
  for (size_t i = 0; i < layers_.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Forward(pass, x, output(i, pass)));
    x = output(i, pass);
  }
  return device_->Run(&Backend::add, n, x, y);
}

absl::Status ResidualLayer::Backward(const Pass& pass, const float* x, const float*, float* dy, float* dx,
                                     const GradientMade& made) {
  const size_t n = static_cast<size_t>(pass.rows) * units();
  // The layers may overwrite dy, of which dx is the other part.
  if (dx != nullptr) {
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, dx, dy, sizeof(float) * n));
  }
  float* slope = slopes_[0].floats();
  float* spare = slopes_[1].floats();
  for (size_t i = layers_.size(); i-- > 0;) {
    const float* const in = i == 0 ? x : output(i - 1, pass);
    float* const to = i == 0 && dx == nullptr ? nullptr : slope;
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Backward(pass, in, output(i, pass), dy, to, [&](int parameter) {
      return made(static_cast<int>(first_[i]) + parameter);
    }));
    dy = to;
    std::swap(slope, spare);
  }
  return dx == nullptr ? absl::OkStatus() : device_->Run(&Backend::add, n, dy, dx);
}

}  // namespace syncline
