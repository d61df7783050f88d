#ifndef SYNCLINE_WORKER_MODEL_ATTENTION_H_
#define SYNCLINE_WORKER_MODEL_ATTENTION_H_

#include <string>

#include "worker/model/layer.h"
#include "worker/model/linear.h"

namespace syncline {

// Causal self-attention with several heads (Vaswani et al. 2017): "<prefix>.qkv.weight" [3 units, units] and ".bias"
// make queries, keys and values, "<prefix>.out.weight" [units, units] and ".bias" the output of what the heads
// give. Both start as a linear layer does. The processes of a group may share out the heads.
class AttentionLayer : public ModelLayer {
 public:
  AttentionLayer(const std::string& prefix, int positions, int units, int heads, TensorGroup* group = nullptr);

  int units() const override { return positions_ * units_; }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  // What is kept of a pass: its part of `memory`, `size` floats a row.
  float* Kept(const DeviceMemory& memory, const Pass& pass, int size) const {
    return memory.floats() + static_cast<size_t>(pass.slot) * rows_ * size;
  }
  int weights() const { return heads_ * positions_ * positions_; }

  const int positions_;
  const int units_;
  const int heads_;  // here
  const int width_;  // theirs
  LinearLayer qkv_, out_;
  const Device* device_ = nullptr;
  int rows_ = 0;
  DeviceMemory projected_, weights_, mixed_;        // by slot: of each head what it sees, and the sums of it
  DeviceMemory mixed_slope_, qkv_slope_, scratch_;  // of one backward pass
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_ATTENTION_H_
