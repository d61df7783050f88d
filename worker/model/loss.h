#ifndef SYNCLINE_WORKER_MODEL_LOSS_H_
#define SYNCLINE_WORKER_MODEL_LOSS_H_

#include <cstdint>

#include "absl/status/status.h"
#include "proto/job.pb.h"
#include "worker/model/device.h"

namespace syncline {

// The model's loss with its default in place.
Loss LossOf(const Model& model);

// Samples of one step, in device memory (Device::host_memory(): any memory).
struct Batch {
  int rows = 0;
  const float* features = nullptr;  // [rows, input]
  const int32_t* labels = nullptr;  // [rows, positions], softmax cross-entropy only: the class
  const float* targets = nullptr;   // [rows, outputs], the other losses; logistic: 0 or 1
  // Which samples these are, for dropout: row r is position first_row + r of this step.
  uint64_t step = 0;
  uint64_t first_row = 0;
  // Gradients are of the loss's mean over so many rows: of the batch that this one is a part of. 0: its own.
  int mean_rows = 0;
};

// What a network minimises: the mean over rows of a loss of its output (a row's mean squared error
// is itself a mean, over outputs).
class ModelLoss {
 public:
  // A row has `outputs` at each of its positions, of whose losses its own is the mean; more than one position only
  // with softmax cross-entropy. `kind` must not be LOSS_UNSPECIFIED; logistic has 1 output.
  ModelLoss(const Device* device, Loss kind, int positions, int outputs)
      : device_(device), kind_(kind), positions_(positions), outputs_(outputs) {}

  int positions() const { return positions_; }

  // Writes the sum of the positions' losses to *loss_sum and, unless `gradient` is null, the gradient of
  // their mean (over Batch::mean_rows) to gradient[rows, outputs]. Both in device memory.
  absl::Status Compute(const Batch& batch, const float* output, float* loss_sum,
                       float* gradient) const;
  // Writes how many positions are right to *correct (device memory); mean squared error has no right and
  // wrong, and leaves it alone.
  absl::Status CountCorrect(const Batch& batch, const float* output, int32_t* correct) const;

 private:
  absl::Status CheckBatch(const Batch& batch) const;

  const Device* device_;
  Loss kind_;
  int positions_;
  int outputs_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_LOSS_H_
