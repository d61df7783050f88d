#include "worker/model/chain.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

LayerChain::LayerChain(std::vector<std::unique_ptr<ModelLayer>> layers) : layers_(std::move(layers)) {
  size_t parameters = 0;
  for (const auto& layer : layers_) {
    first_.push_back(parameters);
    parameters += layer->parameters().size();
  }
  first_.push_back(parameters);
}

std::vector<ParameterSpec> LayerChain::parameters() const {
  std::vector<ParameterSpec> specs;
  for (const auto& layer : layers_) {
    for (ParameterSpec& spec : layer->parameters()) specs.push_back(std::move(spec));
  }
  return specs;
}

absl::Status LayerChain::Prepare(const Device* device, int rows, int slots, const LayerTensors& tensors) {
  rows_ = rows;
  int widest = 0;
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
  if (layers_.size() == 1) return absl::OkStatus();
  for (DeviceMemory& slope : slopes_) {
    SYNCLINE_ASSIGN_OR_RETURN(slope, DeviceMemory::Allocate(device, sizeof(float) * rows * widest));
  }
  return absl::OkStatus();
}

absl::Status LayerChain::Forward(const Pass& pass, const float* x, const float** y) {
  *y = x;
  for (size_t i = 0; i < layers_.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Forward(pass, *y, output(i, pass)));
    *y = output(i, pass);
  }
  return absl::OkStatus();
}

absl::Status LayerChain::Backward(const Pass& pass, const float* x, float* dy, float* dx,
                                  const ModelLayer::GradientMade& made) {
  float* slope = slopes_[0].floats();
  float* spare = slopes_[1].floats();
  for (size_t i = layers_.size(); i-- > 0;) {
    const float* const in = i == 0 ? x : output(i - 1, pass);
    float* const to = i == 0 ? dx : slope;
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Backward(pass, in, output(i, pass), dy, to, [&](int parameter) {
      return made(static_cast<int>(first_[i]) + parameter);
    }));
    dy = to;
    std::swap(slope, spare);
  }
  return absl::OkStatus();
}

}  // namespace syncline
