#ifndef SYNCLINE_WORKER_MODEL_PARALLEL_H_
#define SYNCLINE_WORKER_MODEL_PARALLEL_H_

#include <memory>
#include <vector>

#include "common/config/model_shape.h"
#include "worker/model/chain.h"
#include "worker/model/layer.h"

namespace syncline {

// Branches of layers, each for some columns of x, whose outputs lie side by side in y. The branches' parameters are
// its own.
class ParallelLayer : public ModelLayer {
 public:
  struct Branch {
    std::vector<InputPart> parts;  // of x, side by side in what the layers get
    std::vector<std::unique_ptr<ModelLayer>> layers;  // none: the branch gives what it gets
  };

  // `inputs`: columns of x.
  ParallelLayer(int inputs, std::vector<Branch> branches);

  int units() const override { return units_; }
  std::vector<ParameterSpec> parameters() const override;
  absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) override;
  absl::Status Forward(const Pass& pass, const float* x, float* y) override;
  absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy, float* dx,
                        const GradientMade& made) override;

 private:
  struct Strand {
    std::vector<InputPart> parts;
    std::vector<bool> adds;  // of each part: a branch that comes earlier in Backward has written its gradient
    std::unique_ptr<LayerChain> layers;  // null: none
    int inputs = 0;
    int units = 0;
    int first_column = 0;     // in y
    size_t first = 0;         // its first parameter
    size_t parameters = 0;
    DeviceMemory in;          // [rows, inputs] for each slot
    DeviceMemory slope;       // the gradient of one of these
    DeviceMemory out_slope;   // [rows, units], its columns of dy
  };

  float* In(const Strand& strand, const Pass& pass) const {
    return strand.in.floats() + static_cast<size_t>(pass.slot) * rows_ * strand.inputs;
  }
  absl::Status Copy(const Pass& pass, int cols, bool add, int from_stride, const float* from, int to_stride,
                    float* to) const;
  // Copies the columns of a strand's parts from x, or their gradient to dx; of the other side rows are `stride` apart.
  absl::Status Gather(const Strand& strand, const Pass& pass, const float* x, float* to, int stride) const;
  absl::Status Scatter(const Strand& strand, const Pass& pass, const float* from, int stride, float* dx) const;
  absl::Status BackwardStrand(const Strand& strand, const Pass& pass, const float* dy, float* dx,
                              const GradientMade& made);

  const int inputs_;
  int units_ = 0;
  std::vector<Strand> strands_;
  std::vector<InputPart> unused_;  // columns of x that no branch gets
  const Device* device_ = nullptr;
  int rows_ = 0;
  DeviceMemory zeros_;  // [rows, widest of unused_]
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_PARALLEL_H_
