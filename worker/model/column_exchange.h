#ifndef SYNCLINE_WORKER_MODEL_COLUMN_EXCHANGE_H_
#define SYNCLINE_WORKER_MODEL_COLUMN_EXCHANGE_H_

#include "worker/model/layer.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// Between a layer whose output is split by columns and one that needs it whole, or the other way round: gathers the
// columns of all processes, and takes this one's of the gradient; or takes, and gathers the gradient.
class ColumnExchangeLayer : public ModelLayer {
 public:
  enum Kind { kGather, kTake };
  // Of `positions` positions of `width` columns.
  ColumnExchangeLayer(Kind kind, TensorGroup* group, int positions, int width)
      : kind_(kind), group_(group), positions_(positions), width_(width) {}

  int units() const override {
    return positions_ * (kind_ == kGather ? width_ : AxisPart::Of(width_, group_).here());
  }
  absl::Status Prepare(const Device*, int, int, LayerTensors) override { return absl::OkStatus(); }
  absl::Status Forward(const Pass& pass, const float* x, float* y) override {
    return Exchange(kind_, pass, x, y);
  }
  absl::Status Backward(const Pass& pass, const float*, const float*, float* dy, float* dx,
                        const GradientMade&) override {
    return dx == nullptr ? absl::OkStatus() : Exchange(kind_ == kGather ? kTake : kGather, pass, dy, dx);
  }

 private:
  absl::Status Exchange(Kind kind, const Pass& pass, const float* from, float* to) {
    const int rows = pass.rows * positions_;
    return kind == kGather ? group_->Gather(rows, width_, from, to) : group_->Take(rows, width_, from, to);
  }

  const Kind kind_;
  TensorGroup* const group_;
  const int positions_;
  const int width_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_COLUMN_EXCHANGE_H_
