#ifndef SYNCLINE_WORKER_MODEL_SUM_H_
#define SYNCLINE_WORKER_MODEL_SUM_H_

#include <string>

#include "worker/model/layer.h"

namespace syncline {

// The sum of the vectors of `dim` floats that lie side by side in a row, with a bias "<prefix>.bias" [dim], which
// starts at 0, unless `bias` is false.
class SumLayer : public ModelLayer {
 public:
  SumLayer(std::string prefix, int vectors, int dim, bool bias);

  int units() const override { return dim_; }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const std::string prefix_;
  const int vectors_;
  const int dim_;
  const bool bias_;
  const Device* device_ = nullptr;
  LayerTensors tensors_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_SUM_H_
