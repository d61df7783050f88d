#ifndef SYNCLINE_WORKER_MODEL_EMBEDDING_H_
#define SYNCLINE_WORKER_MODEL_EMBEDDING_H_

#include <string>

#include "worker/model/layer.h"

namespace syncline {

// Tokens, whole numbers in a row of features, to rows of a table, to each of which that of its position is added:
// "<prefix>.weight" [vocabulary, units] and "<prefix>.positions" [positions, units]. Both start normal with
// standard deviation 0.02, as in GPT-2 (Radford et al. 2019). There is no gradient of tokens.
class EmbeddingLayer : public ModelLayer {
 public:
  EmbeddingLayer(std::string prefix, int positions, int vocabulary, int units);

  int units() const override { return positions_ * units_; }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const std::string prefix_;
  const int positions_;
  const int vocabulary_;
  const int units_;
  const Device* device_ = nullptr;
  LayerTensors tensors_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_EMBEDDING_H_
