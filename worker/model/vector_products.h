#ifndef SYNCLINE_WORKER_MODEL_VECTOR_PRODUCTS_H_
#define SYNCLINE_WORKER_MODEL_VECTOR_PRODUCTS_H_

#include "worker/model/layer.h"

namespace syncline {

// The sum of the products of each two of the vectors of `dim` floats that lie side by side in a row: the second order
// of a factorization machine (Rendle 2010), linear in the number of vectors. Learns nothing itself.
class FactorizationLayer : public ModelLayer {
 public:
  FactorizationLayer(int vectors, int dim) : vectors_(vectors), dim_(dim) {}

  int units() const override { return 1; }
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const int vectors_;
  const int dim_;
  const Device* device_ = nullptr;
};

// The first of these vectors, then the product of each two: (1,0), (2,0), (2,1), ... (Naumov et al. 2019). Learns
// nothing itself.
class InteractionLayer : public ModelLayer {
 public:
  InteractionLayer(int vectors, int dim) : vectors_(vectors), dim_(dim) {}

  int units() const override { return dim_ + vectors_ * (vectors_ - 1) / 2; }
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  const int vectors_;
  const int dim_;
  const Device* device_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_VECTOR_PRODUCTS_H_
