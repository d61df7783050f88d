#ifndef SYNCLINE_WORKER_MODEL_NETWORK_H_
#define SYNCLINE_WORKER_MODEL_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/model/layer.h"
#include "worker/model/loss.h"
#include "worker/model/parameter.h"

namespace syncline {

// A model of a manifest, ready to compute on a device. It has no optimizer and no network: weights
// come in through value(), gradients go out through gradient().
//
//   network->Forward(batch, [&](size_t first, size_t count) { return pull.Wait(first, count); });
//   network->Backward([&](size_t p) { return push.Start(p, network->gradient(p)); });
//
// Parameters are numbered in order from the input. Their values lie in one block of device memory,
// each aligned to 64 bytes, and their gradients in another; where device memory is not host memory
// there is a pinned copy of both on the host, and transfers overlap the computation. A step
// allocates nothing.
//
// Not thread-safe. The callbacks run on the calling thread; while they run it computes nothing (a
// CPU) or goes on with what was submitted (a GPU). A failed call leaves the values as they were.
class Network {
 public:
  // Called before the layer that owns parameters first .. first + count - 1 computes, layers in
  // order from the input. Returns once their values are in value(); they are then sent to the
  // device. An error ends the pass.
  using AwaitValues = std::function<absl::Status(size_t first, size_t count)>;
  // Called once for each parameter, the last layer's first, when its gradient is in gradient().
  using GradientReady = std::function<absl::Status(size_t parameter)>;

  struct Evaluation {
    int rows = 0;
    double loss_sum = 0.0;  // over rows
    int correct = 0;        // rows classified correctly; 0 with mean squared error
  };

  // Gives host memory, zero-filled and aligned to 64 bytes, or null.
  using HostMemory = std::function<std::shared_ptr<void>(size_t bytes)>;

  // `device` must outlive the network. Batches have at most `max_rows` rows. `seed`: the job's.
  // What value() and gradient() name lies in two blocks from `host`, so that a caller can share them
  // with other processes; in memory of the network's own where that is null or gives none.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const Model& model, const Device* device,
                                                         int max_rows, uint64_t seed,
                                                         const HostMemory& host = nullptr);
  ~Network();

  const std::vector<ParameterSpec>& parameters() const { return specs_; }
  size_t outputs() const { return layers_.back()->units(); }

  // Host memory of one parameter, parameters()[p].size() floats. Written by the caller between a
  // Backward (or Create, when it is zero) and the end of the AwaitValues that names it.
  float* value(size_t parameter);
  // Its gradient, host memory too: the mean over the batch's rows. Valid from its GradientReady
  // until the next Backward begins; the caller may write to it then.
  float* gradient(size_t parameter);

  // Computes the loss of a batch and all that Backward needs. Without `await` the device's values
  // are used as they are (a CPU: value() itself).
  absl::Status Forward(const Batch& batch, const AwaitValues& await = nullptr);
  // Gradients of the latest Forward; returns when all are ready.
  absl::Status Backward(const GradientReady& ready = nullptr);
  // The latest Forward's loss, summed over rows. Waits for the device.
  absl::StatusOr<double> LossSum();

  // Loss and accuracy without dropout. Needs no Backward.
  absl::StatusOr<Evaluation> Evaluate(const Batch& batch, const AwaitValues& await = nullptr);
  // Sends all of value() to the device; nothing to do on a CPU.
  absl::Status UploadValues();

 private:
  struct LayerSlot {
    size_t first = 0;  // its first parameter
    size_t count = 0;
    DeviceMemory output;  // [max_rows, units]
  };

  Network(const Device* device, int max_rows) : device_(device), max_rows_(max_rows) {}
  absl::Status Allocate(const Model& model, const HostMemory& host);
  absl::Status AllocateParameters(const HostMemory& host);
  absl::Status AllocateActivations(size_t widest);
  absl::Status Propagate(const Pass& pass, const Batch& batch, const AwaitValues& await);
  absl::Status Upload(size_t first, size_t count);
  absl::Status StartDownload(size_t parameter);
  // Reports downloaded gradients in the order they were made; with `wait`, all of them.
  absl::Status ReportReady(bool wait, const GradientReady& ready);
  absl::Status CheckBatch(const Batch& batch) const;

  const Device* const device_;
  const int max_rows_;
  std::vector<std::unique_ptr<ModelLayer>> layers_;
  std::vector<LayerSlot> slots_;  // one a layer
  std::unique_ptr<ModelLoss> loss_;

  std::vector<ParameterSpec> specs_;
  std::vector<size_t> offsets_;  // of each parameter in the blocks below, in floats
  size_t total_ = 0;             // floats in each block
  DeviceMemory values_;
  DeviceMemory gradients_;
  DeviceMemory host_values_;  // empty where device memory is host memory
  DeviceMemory host_gradients_;
  std::vector<Event> downloaded_;  // one a parameter
  std::vector<Event> made_;        // likewise: its gradient was computed
  std::vector<Event> uploaded_;    // one a parameter

  DeviceMemory slopes_[2];  // gradients of activations, [max_rows, widest], used in turn
  DeviceMemory results_;    // float loss_sum, int32 correct
  DeviceMemory host_results_;

  Pass pass_;  // of the latest Forward, until its Backward
  const float* features_ = nullptr;
  std::vector<size_t> pending_;  // parameters made in this Backward, in order
  size_t reported_ = 0;          // how many of them were reported
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_NETWORK_H_
