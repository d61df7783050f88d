#ifndef SYNCLINE_WORKER_MODEL_LAYER_H_
#define SYNCLINE_WORKER_MODEL_LAYER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/model/device.h"
#include "worker/model/parameter.h"

namespace syncline {

// One pass over a batch.
struct Pass {
  int rows = 0;
  bool training = false;
  // Which samples these are, for what is random: row r is position first_row + r of this step.
  uint64_t step = 0;
  uint64_t first_row = 0;
  // Where a layer keeps what its Backward needs, as several batches may be under way.
  int slot = 0;
  // Backward: parameter gradients are added to those of the batch before.
  bool add = false;
};

// A layer's tensors in device memory, in the order of parameters().
struct LayerTensors {
  std::vector<float*> values;
  std::vector<float*> gradients;
};

// One layer of a network, on one device. Matrices are row-major, one sample a row, in device
// memory. Not thread-safe: a network drives its layers from one thread.
class ModelLayer {
 public:
  // Called with the index in parameters() of a gradient when its last operation was submitted.
  using GradientMade = std::function<absl::Status(int parameter)>;

  virtual ~ModelLayer() = default;

  // Width of its output.
  virtual int units() const = 0;
  // The tensors it learns.
  virtual std::vector<ParameterSpec> parameters() const { return {}; }
  // Allocates what it keeps between forward and backward, for up to `rows` rows in each of `slots`
  // places, and takes its tensors. Called once, before anything below.
  virtual absl::Status Prepare(const Device* device, int rows, int slots, LayerTensors tensors) = 0;

  // y[rows, units] from x.
  virtual absl::Status Forward(const Pass& pass, const float* x, float* y) = 0;
  // Gradients of the latest Forward of the pass's slot, whose x and y it gets again. Overwrites all
  // parameter gradients (or adds to them), as early as it can, and dx unless that is null. It may
  // overwrite dy.
  virtual absl::Status Backward(const Pass& pass, const float* x, const float* y, float* dy,
                                float* dx, const GradientMade& made) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_LAYER_H_
