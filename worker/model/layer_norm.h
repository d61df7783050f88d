#ifndef SYNCLINE_WORKER_MODEL_LAYER_NORM_H_
#define SYNCLINE_WORKER_MODEL_LAYER_NORM_H_

#include <string>

#include "worker/model/layer.h"

namespace syncline {

// Layer normalisation over each position of a row (Ba et al. 2016), with "<prefix>.weight" [units], which starts
// at 1, and "<prefix>.bias" [units], which starts at 0.
class LayerNormLayer : public ModelLayer {
 public:
  LayerNormLayer(std::string prefix, int positions, int units, float epsilon);

  int units() const override { return positions_ * units_; }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  float* Kept(const DeviceMemory& memory, const Pass& pass) const {
    return memory.floats() + static_cast<size_t>(pass.slot) * rows_ * positions_;
  }

  const std::string prefix_;
  const int positions_;
  const int units_;
  const float epsilon_;
  const Device* device_ = nullptr;
  int rows_ = 0;
  LayerTensors tensors_;
  DeviceMemory mean_;  // of each position, by slot
  DeviceMemory rstd_;  // 1 / its standard deviation
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_LAYER_NORM_H_
