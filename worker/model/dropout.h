#ifndef SYNCLINE_WORKER_MODEL_DROPOUT_H_
#define SYNCLINE_WORKER_MODEL_DROPOUT_H_

#include "worker/model/layer.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// In training, zeroes each element with probability `rate` and scales the others by 1/(1-rate)
// (Srivastava et al. 2014); otherwise copies. Which elements depends on the seed, the step and the
// row's position in the step alone: not on the device, nor on how many workers share the step.
class DropoutLayer : public ModelLayer {
 public:
  // `seed` must differ between the layers of a network. Of `columns` there may be a part here.
  DropoutLayer(int positions, const AxisPart& columns, float rate, uint64_t seed)
      : positions_(positions), columns_(columns), rate_(rate), seed_(seed) {}

  int units() const override { return positions_ * columns_.here(); }
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  absl::Status Apply(const Pass& pass, const float* from, float* to) const;

  const int positions_;
  const AxisPart columns_;
  const float rate_;
  const uint64_t seed_;
  const Device* device_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_DROPOUT_H_
