#ifndef SYNCLINE_WORKER_MODEL_NETWORK_H_
#define SYNCLINE_WORKER_MODEL_NETWORK_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/job.pb.h"
#include "worker/model/batch_result.h"
#include "worker/model/layer.h"
#include "worker/model/loss.h"
#include "worker/model/model_builder.h"
#include "worker/model/parameter.h"
#include "worker/model/tensor_group.h"

namespace syncline {

// A model of a manifest, ready to compute on a device. It has no optimizer and no network: weights
// come in through value(), gradients go out through gradient().
//
//   network->Forward(batch, [&](size_t first, size_t count) { return pull.Wait(first, count); });
//   network->Backward([&](size_t p) { return push.Start(p, network->gradient(p)); });
//
// It may also be a part of the layers, a stage of a pipeline: then it gets what the layers before it made
// as a batch's features, and without the last layer no loss, but the gradient of its output.
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

  // Gives host memory, zero-filled and aligned to 64 bytes, or null.
  using HostMemory = std::function<std::shared_ptr<void>(size_t bytes)>;

  // Which layers, and what is kept of a batch between its Forward and Backward.
  struct Part {
    LayerRange layers;  // empty: all
    // So many batches may be between the two, each in a slot of its own.
    int slots = 1;
    // Keeps a batch's input and output only: Backward computes what lies between again.
    bool recompute = false;
    // Where output() lies, if device memory is host memory; where null or gives none, the network's own.
    HostMemory outputs = nullptr;
    // Who shares these layers, of which this is then a part; outlives the network. Null: nobody.
    TensorGroup* group = nullptr;
    // Floats of memory for a parameter, and for its gradient, where that is more than it has. Null: as many as it has.
    std::function<int64_t(size_t parameter, const ParameterSpec&)> room = nullptr;
  };

  // `device` must outlive the network. Batches have at most `max_rows` rows. `seed`: the job's.
  // What value() and gradient() name lies in two blocks from `host`, so that a caller can share them
  // with other processes; in memory of the network's own where that is null or gives none.
  static absl::StatusOr<std::unique_ptr<Network>> Create(const Model& model, const Device* device,
                                                         int max_rows, uint64_t seed,
                                                         const HostMemory& host,
                                                         const Part& part);
  static absl::StatusOr<std::unique_ptr<Network>> Create(const Model& model, const Device* device,
                                                         int max_rows, uint64_t seed,
                                                         const HostMemory& host = nullptr) {
    return Create(model, device, max_rows, seed, host, {});
  }
  ~Network();

  const std::vector<ParameterSpec>& parameters() const { return specs_; }
  size_t inputs() const { return inputs_; }
  size_t outputs() const { return layers_.back()->units(); }
  // Labels of a row: one a position. With the model's last layer only.
  size_t labels() const { return loss_->positions(); }
  // Whether it has the model's last layer.
  bool has_loss() const { return loss_ != nullptr; }

  // Host memory of one parameter, parameters()[p].size() floats. Written by the caller between a
  // Backward (or Create, when it is zero) and the end of the AwaitValues that names it.
  float* value(size_t parameter);
  // Its gradient, host memory too: the mean over the batch's rows. Valid from its GradientReady
  // until the next Backward begins; the caller may write to it then.
  float* gradient(size_t parameter);
  // Both on the device, where they have the same places relative to each other.
  float* device_value(size_t parameter) { return values_.floats() + offsets_[parameter]; }
  float* device_gradient(size_t parameter) { return gradients_.floats() + offsets_[parameter]; }

  // Computes the loss of a batch and all that Backward needs. Without `await` the device's values
  // are used as they are (a CPU: value() itself). The batch's memory must stay until its Backward.
  absl::Status Forward(const Batch& batch, const AwaitValues& await = nullptr, int slot = 0);

  struct BackwardOptions {
    int slot = 0;
    // Without the last layer: the gradient of output(slot), device memory that is overwritten.
    float* output_gradient = nullptr;
    // Gradients are added to those of the batch before, and are ready with a later one.
    bool add = false;
    bool more = false;
    // Gradients stay on the device: GradientReady comes when what makes device_gradient() was submitted to
    // kComputeStream, and gradient() is not written. Backward then waits for nothing.
    bool on_device = false;
    // Where to write the gradient of the batch's features, device memory; null: nobody wants it.
    float* input_gradient = nullptr;
  };
  // Gradients of a Forward; returns when all are ready.
  absl::Status Backward(const GradientReady& ready, const BackwardOptions& options);
  absl::Status Backward(const GradientReady& ready = nullptr) { return Backward(ready, {}); }
  // Makes a gradient zero, as if it were ready with a Backward.
  absl::Status ClearGradient(size_t parameter, bool on_device);
  // Loss and accuracy of a slot's latest Forward. Waits for what was submitted to kComputeStream.
  absl::StatusOr<BatchResult> Result(int slot = 0);

  // Device memory of a slot: [rows, outputs()], there after its Forward or Infer, until the next one.
  float* output(int slot) { return slots_.back().output.floats() + slot * max_rows_ * outputs(); }
  // Without the last layer: Forward with dropout off, and no Backward.
  absl::Status Infer(const Batch& batch, int slot = 0);

  // Loss and accuracy without dropout. Needs no Backward.
  absl::StatusOr<BatchResult> Evaluate(const Batch& batch, const AwaitValues& await = nullptr);
  // Sends all of value() to the device; nothing to do on a CPU.
  absl::Status UploadValues();

 private:
  struct LayerSlot {
    size_t first = 0;  // its first parameter
    size_t count = 0;
    DeviceMemory output;  // [max_rows, units] for each set
  };

  Network(const Device* device, int max_rows, const Part& part)
      : device_(device), max_rows_(max_rows), part_(part) {}
  absl::Status Allocate(const Model& model, const HostMemory& host);
  absl::Status AllocateParameters(const HostMemory& host);
  absl::Status AllocateActivations(size_t widest);
  absl::StatusOr<DeviceMemory> AllocateOutputs(size_t bytes);
  // Of what is kept between Forward and Backward, as many as slots; with `recompute` one.
  int sets() const { return part_.recompute ? 1 : part_.slots; }
  float* output(size_t layer, int slot);
  absl::Status Propagate(const Pass& pass, const Batch& batch, int slot, const AwaitValues& await);
  absl::Status ComputeLoss(const Batch& batch, int slot);
  absl::Status Upload(size_t first, size_t count);
  absl::Status StartDownload(size_t parameter);
  // Reports downloaded gradients in the order they were made; with `wait`, all of them.
  absl::Status ReportReady(bool wait, const GradientReady& ready);
  absl::Status CheckBatch(const Batch& batch) const;

  const Device* const device_;
  const int max_rows_;
  const Part part_;
  size_t inputs_ = 0;
  std::vector<std::unique_ptr<ModelLayer>> layers_;
  std::vector<LayerSlot> slots_;  // one a layer
  std::unique_ptr<ModelLoss> loss_;  // null without the last layer

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
  DeviceMemory loss_gradients_;  // [max_rows, outputs] for each set
  DeviceMemory results_;    // float loss_sum, int32 correct, by slot
  DeviceMemory host_results_;
  std::optional<Event> results_there_;

  // By slot, from its Forward until its Backward; without rows otherwise.
  struct UnderWay {
    Pass pass;
    Batch batch;
  };
  std::vector<UnderWay> under_way_;
  int computed_ = -1;  // with `recompute`: the slot whose activations are there
  std::vector<size_t> pending_;  // parameters made in this Backward, in order
  size_t reported_ = 0;          // how many of them were reported
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_NETWORK_H_
