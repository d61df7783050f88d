#include "worker/model/network.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/model/model_builder.h"

namespace syncline {
namespace {

constexpr size_t kAlignFloats = 16;  // 64 bytes

struct Results {
  float loss_sum;
  int32_t correct;
};

size_t AlignUp(size_t floats) {
  return (floats + kAlignFloats - 1) / kAlignFloats * kAlignFloats;
}

absl::Status MakeEvents(const Device* device, size_t count, std::vector<Event>* events) {
  events->reserve(count);
  for (size_t i = 0; i < count; ++i) {
    SYNCLINE_ASSIGN_OR_RETURN(Event event, Event::Create(device));
    events->push_back(std::move(event));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Network>> Network::Create(const Model& model, const Device* device,
                                                         int max_rows, uint64_t seed,
                                                         const HostMemory& host,
                                                         const Part& part) {
  if (max_rows < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch_size is ", max_rows, "; accepted: at least 1"));
  }
  const LayerRange layers = part.layers.end > 0 ? part.layers : AllLayers(model);
  Part own = part;
  own.layers = layers;
  own.slots = std::max(part.slots, 1);
  std::unique_ptr<Network> network(new Network(device, max_rows, own));
  SYNCLINE_ASSIGN_OR_RETURN(network->layers_, BuildLayers(model, layers, seed, part.group));
  SYNCLINE_RETURN_IF_ERROR(network->Allocate(model, host));
  return network;
}

// Copies may still be under way after an error; memory must not go before they end.
Network::~Network() { device_->Run(&Backend::synchronize).IgnoreError(); }

absl::Status Network::Allocate(const Model& model, const HostMemory& host) {
  for (const auto& layer : layers_) {
    LayerSlot slot;
    slot.first = specs_.size();
    for (ParameterSpec& spec : layer->parameters()) {
      offsets_.push_back(total_);
      const int64_t room = part_.room == nullptr ? 0 : part_.room(specs_.size(), spec);
      total_ += AlignUp(std::max(spec.size(), room));
      specs_.push_back(std::move(spec));
    }
    slot.count = specs_.size() - slot.first;
    slots_.push_back(std::move(slot));
  }
  if (part_.layers.end == model.layers_size()) {
    const SampleShape shape = ShapeBefore(model, model.layers_size());
    loss_ = std::make_unique<ModelLoss>(device_, LossOf(model), shape.positions, shape.width);
  }
  inputs_ = ShapeBefore(model, part_.layers.begin).units();
  size_t widest = inputs_;
  for (const auto& layer : layers_) widest = std::max<size_t>(widest, layer->units());
  SYNCLINE_RETURN_IF_ERROR(AllocateParameters(host));
  return AllocateActivations(widest);
}

absl::Status Network::AllocateParameters(const HostMemory& host) {
  const size_t bytes = sizeof(float) * total_;
  const auto on_host = [&]() -> absl::StatusOr<DeviceMemory> {
    return DeviceMemory::AdoptOrAllocate(device_, host == nullptr || bytes == 0 ? nullptr : host(bytes), bytes);
  };
  if (device_->host_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(values_, on_host());
    SYNCLINE_ASSIGN_OR_RETURN(gradients_, on_host());
    return absl::OkStatus();
  }
  SYNCLINE_ASSIGN_OR_RETURN(values_, DeviceMemory::Allocate(device_, bytes));
  SYNCLINE_ASSIGN_OR_RETURN(gradients_, DeviceMemory::Allocate(device_, bytes));
  SYNCLINE_ASSIGN_OR_RETURN(host_values_, on_host());
  SYNCLINE_ASSIGN_OR_RETURN(host_gradients_, on_host());
  SYNCLINE_RETURN_IF_ERROR(MakeEvents(device_, specs_.size(), &downloaded_));
  SYNCLINE_RETURN_IF_ERROR(MakeEvents(device_, specs_.size(), &made_));
  return MakeEvents(device_, specs_.size(), &uploaded_);
}

absl::Status Network::AllocateActivations(size_t widest) {
  for (DeviceMemory& slope : slopes_) {
    SYNCLINE_ASSIGN_OR_RETURN(slope,
                              DeviceMemory::Allocate(device_, sizeof(float) * max_rows_ * widest));
  }
  under_way_.resize(part_.slots);
  const size_t results = sizeof(Results) * part_.slots;
  SYNCLINE_ASSIGN_OR_RETURN(results_, DeviceMemory::Allocate(device_, results));
  SYNCLINE_ASSIGN_OR_RETURN(host_results_, DeviceMemory::Allocate(device_, results,
                                                                  DeviceMemory::Place::kHost));
  SYNCLINE_ASSIGN_OR_RETURN(Event results_there, Event::Create(device_));
  results_there_.emplace(std::move(results_there));
  if (has_loss()) {
    const size_t bytes = sizeof(float) * sets() * max_rows_ * outputs();
    SYNCLINE_ASSIGN_OR_RETURN(loss_gradients_, DeviceMemory::Allocate(device_, bytes));
  }
  for (size_t i = 0; i < layers_.size(); ++i) {
    LayerSlot& slot = slots_[i];
    const bool last = i + 1 == layers_.size();
    const size_t bytes = sizeof(float) * (last ? part_.slots : sets()) * max_rows_ * layers_[i]->units();
    SYNCLINE_ASSIGN_OR_RETURN(slot.output,
                              last ? AllocateOutputs(bytes) : DeviceMemory::Allocate(device_, bytes));
    LayerTensors tensors;
    for (size_t p = slot.first; p < slot.first + slot.count; ++p) {
      tensors.values.push_back(values_.floats() + offsets_[p]);
      tensors.gradients.push_back(gradients_.floats() + offsets_[p]);
    }
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Prepare(device_, max_rows_, sets(), std::move(tensors)));
  }
  return absl::OkStatus();
}

absl::StatusOr<DeviceMemory> Network::AllocateOutputs(size_t bytes) {
  if (!device_->host_memory() || part_.outputs == nullptr) return DeviceMemory::Allocate(device_, bytes);
  return DeviceMemory::AdoptOrAllocate(device_, part_.outputs(bytes), bytes);
}

float* Network::value(size_t parameter) {
  const DeviceMemory& block = device_->host_memory() ? values_ : host_values_;
  return block.floats() + offsets_[parameter];
}

float* Network::gradient(size_t parameter) {
  const DeviceMemory& block = device_->host_memory() ? gradients_ : host_gradients_;
  return block.floats() + offsets_[parameter];
}

absl::Status Network::CheckBatch(const Batch& batch) const {
  if (batch.rows < 1 || batch.rows > max_rows_) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", batch.rows, " rows; accepted: 1 to ", max_rows_));
  }
  if (batch.features == nullptr) return absl::InvalidArgumentError("a batch without features");
  return absl::OkStatus();
}

absl::Status Network::Upload(size_t first, size_t count) {
  if (device_->host_memory()) return absl::OkStatus();
  for (size_t p = first; p < first + count; ++p) {
    const size_t bytes = sizeof(float) * specs_[p].size();
    SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kUploadStream,
                                          values_.floats() + offsets_[p],
                                          host_values_.floats() + offsets_[p], bytes));
    SYNCLINE_RETURN_IF_ERROR(uploaded_[p].Record(kUploadStream));
    SYNCLINE_RETURN_IF_ERROR(uploaded_[p].Delay(kComputeStream));
  }
  return absl::OkStatus();
}

absl::Status Network::UploadValues() {
  SYNCLINE_RETURN_IF_ERROR(Upload(0, specs_.size()));
  return device_->Run(&Backend::synchronize);
}

float* Network::output(size_t layer, int slot) {
  const size_t floats = static_cast<size_t>(max_rows_) * layers_[layer]->units();
  const bool last = layer + 1 == layers_.size();
  return slots_[layer].output.floats() + floats * (last ? slot : slot % sets());
}

absl::Status Network::Propagate(const Pass& pass, const Batch& batch, int slot,
                                const AwaitValues& await) {
  const float* x = batch.features;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerSlot& layer = slots_[i];
    if (await && layer.count > 0) {
      SYNCLINE_RETURN_IF_ERROR(await(layer.first, layer.count));
      SYNCLINE_RETURN_IF_ERROR(Upload(layer.first, layer.count));
    }
    float* const y = output(i, slot);
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Forward(pass, x, y));
    x = y;
  }
  computed_ = slot;
  return absl::OkStatus();
}

absl::Status Network::ComputeLoss(const Batch& batch, int slot) {
  if (!has_loss()) return absl::OkStatus();
  const size_t floats = max_rows_ * outputs();
  Results* const result = static_cast<Results*>(results_.data()) + slot;
  SYNCLINE_RETURN_IF_ERROR(loss_->Compute(batch, output(slot), &result->loss_sum,
                                          loss_gradients_.floats() + floats * (slot % sets())));
  return loss_->CountCorrect(batch, output(slot), &result->correct);
}

absl::Status Network::Forward(const Batch& batch, const AwaitValues& await, int slot) {
  under_way_[slot] = {};
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  Pass pass = {batch.rows, /*training=*/true, batch.step, batch.first_row};
  pass.slot = slot % sets();
  SYNCLINE_RETURN_IF_ERROR(Propagate(pass, batch, slot, await));
  SYNCLINE_RETURN_IF_ERROR(ComputeLoss(batch, slot));
  under_way_[slot] = {pass, batch};
  return absl::OkStatus();
}

absl::Status Network::Infer(const Batch& batch, int slot) {
  under_way_[slot] = {};
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  Pass pass = {batch.rows, /*training=*/false, batch.step, batch.first_row};
  pass.slot = slot % sets();
  return Propagate(pass, batch, slot, nullptr);
}

absl::Status Network::StartDownload(size_t parameter) {
  pending_.push_back(parameter);
  if (device_->host_memory()) return absl::OkStatus();
  const size_t offset = offsets_[parameter];
  SYNCLINE_RETURN_IF_ERROR(made_[parameter].Record(kComputeStream));
  SYNCLINE_RETURN_IF_ERROR(made_[parameter].Delay(kDownloadStream));
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kDownloadStream,
                                        host_gradients_.floats() + offset,
                                        gradients_.floats() + offset,
                                        sizeof(float) * specs_[parameter].size()));
  return downloaded_[parameter].Record(kDownloadStream);
}

absl::Status Network::ReportReady(bool wait, const GradientReady& ready) {
  for (; reported_ < pending_.size(); ++reported_) {
    const size_t parameter = pending_[reported_];
    if (!device_->host_memory()) {
      if (wait) SYNCLINE_RETURN_IF_ERROR(downloaded_[parameter].Wait());
      SYNCLINE_ASSIGN_OR_RETURN(const bool done, downloaded_[parameter].Done());
      if (!done) return absl::OkStatus();
    }
    if (ready) SYNCLINE_RETURN_IF_ERROR(ready(parameter));
  }
  return absl::OkStatus();
}

absl::Status Network::Backward(const GradientReady& ready, const BackwardOptions& options) {
  const int slot = options.slot;
  auto [pass, batch] = std::exchange(under_way_[slot], {});
  if (pass.rows == 0) return absl::FailedPreconditionError("Backward needs a Forward before it");
  if (part_.recompute && computed_ != slot) {
    SYNCLINE_RETURN_IF_ERROR(Propagate(pass, batch, slot, nullptr));
    SYNCLINE_RETURN_IF_ERROR(ComputeLoss(batch, slot));
  }
  pass.add = options.add;
  pending_.clear();
  reported_ = 0;
  // Below the first layer that learns, nobody needs a gradient.
  size_t lowest = 0;
  while (options.input_gradient == nullptr && slots_[lowest].count == 0) ++lowest;
  float* dy = options.output_gradient;
  if (has_loss()) dy = loss_gradients_.floats() + slot % sets() * max_rows_ * outputs();
  float* dx = slopes_[0].floats();
  float* spare = slopes_[1].floats();
  for (size_t i = layers_.size(); i-- > lowest;) {
    const LayerSlot& layer = slots_[i];
    const float* x = i == 0 ? batch.features : output(i - 1, slot);
    const auto made = [&](int parameter) -> absl::Status {
      if (options.more) return absl::OkStatus();
      if (options.on_device) return ready(layer.first + parameter);
      SYNCLINE_RETURN_IF_ERROR(StartDownload(layer.first + parameter));
      return ReportReady(/*wait=*/false, ready);
    };
    if (i == 0) dx = options.input_gradient;
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Backward(pass, x, output(i, slot), dy,
                                                  i == lowest && i > 0 ? nullptr : dx, made));
    dy = dx;
    std::swap(dx, spare);
  }
  return ReportReady(/*wait=*/true, ready);
}

absl::Status Network::ClearGradient(size_t parameter, bool on_device) {
  const size_t floats = specs_[parameter].size();
  std::fill_n(gradient(parameter), floats, 0.0f);
  if (!on_device) return absl::OkStatus();
  return device_->Run(&Backend::copy, kComputeStream, device_gradient(parameter), gradient(parameter),
                      sizeof(float) * floats);
}

absl::StatusOr<BatchResult> Network::Result(int slot) {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, host_results_.data(),
                                        results_.data(), sizeof(Results) * part_.slots));
  SYNCLINE_RETURN_IF_ERROR(results_there_->Record(kComputeStream));
  SYNCLINE_RETURN_IF_ERROR(results_there_->Wait());
  const Results& result = static_cast<const Results*>(host_results_.data())[slot];
  return BatchResult{double{result.loss_sum} / loss_->positions(), double(result.correct) / loss_->positions()};
}

absl::StatusOr<BatchResult> Network::Evaluate(const Batch& batch, const AwaitValues& await) {
  if (!has_loss()) return absl::FailedPreconditionError("only the last stage can evaluate");
  under_way_[0] = {};
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  const Pass pass = {batch.rows, /*training=*/false, batch.step, batch.first_row};
  SYNCLINE_RETURN_IF_ERROR(Propagate(pass, batch, 0, await));
  Results* results = static_cast<Results*>(results_.data());
  SYNCLINE_RETURN_IF_ERROR(loss_->Compute(batch, output(0), &results->loss_sum, nullptr));
  SYNCLINE_RETURN_IF_ERROR(loss_->CountCorrect(batch, output(0), &results->correct));
  return Result(0);
}

}  // namespace syncline
