#include "worker/model/embedding.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

EmbeddingLayer::EmbeddingLayer(std::string prefix, int positions, int vocabulary, int units)
    : prefix_(std::move(prefix)), positions_(positions), vocabulary_(vocabulary), units_(units) {}

std::vector<ParameterSpec> EmbeddingLayer::parameters() const {
  const InitialValue initial = {InitializerKind::kNormal, 0.0, 0.02};
  return {{prefix_ + ".weight", {vocabulary_, units_}, initial},
          {prefix_ + ".positions", {positions_, units_}, initial}};
}

absl::Status EmbeddingLayer::Prepare(const Device* device, int, int, LayerTensors tensors) {
  device_ = device;
  tensors_ = std::move(tensors);
  return absl::OkStatus();
}

absl::Status EmbeddingLayer::Forward(const Pass& pass, const float* x, float* y) {
  return device_->Run(&Backend::embed, pass.rows, positions_, units_, vocabulary_, x, tensors_.values[0],
                      tensors_.values[1], y);
}

absl::Status EmbeddingLayer::Backward(const Pass& pass, const float* x, const float*, float* dy, float*,
                                      const GradientMade& made) {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::embed_backward, pass.rows, positions_, units_, vocabulary_,
                                        pass.add, x, dy, tensors_.gradients[0], tensors_.gradients[1]));
  SYNCLINE_RETURN_IF_ERROR(made(1));
  return made(0);
}

}  // namespace syncline
