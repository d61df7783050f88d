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
                                                         const HostMemory& host) {
  if (max_rows < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch_size is ", max_rows, "; accepted: at least 1"));
  }
  std::unique_ptr<Network> network(new Network(device, max_rows));
  SYNCLINE_ASSIGN_OR_RETURN(network->layers_, BuildLayers(model, seed));
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
      total_ += AlignUp(spec.size());
      specs_.push_back(std::move(spec));
    }
    slot.count = specs_.size() - slot.first;
    slots_.push_back(std::move(slot));
  }
  loss_ = std::make_unique<ModelLoss>(device_, LossOf(model), static_cast<int>(outputs()));
  size_t widest = model.input();
  for (const auto& layer : layers_) widest = std::max<size_t>(widest, layer->units());
  SYNCLINE_RETURN_IF_ERROR(AllocateParameters(host));
  return AllocateActivations(widest);
}

absl::Status Network::AllocateParameters(const HostMemory& host) {
  const size_t bytes = sizeof(float) * total_;
  const auto on_host = [&]() -> absl::StatusOr<DeviceMemory> {
    std::shared_ptr<void> memory = host == nullptr || bytes == 0 ? nullptr : host(bytes);
    if (memory != nullptr) return DeviceMemory::Adopt(device_, std::move(memory), bytes);
    return DeviceMemory::Allocate(device_, bytes, DeviceMemory::Place::kHost);
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
  SYNCLINE_ASSIGN_OR_RETURN(results_, DeviceMemory::Allocate(device_, sizeof(Results)));
  SYNCLINE_ASSIGN_OR_RETURN(host_results_, DeviceMemory::Allocate(device_, sizeof(Results),
                                                                  DeviceMemory::Place::kHost));
  for (size_t i = 0; i < layers_.size(); ++i) {
    LayerSlot& slot = slots_[i];
    const size_t bytes = sizeof(float) * max_rows_ * layers_[i]->units();
    SYNCLINE_ASSIGN_OR_RETURN(slot.output, DeviceMemory::Allocate(device_, bytes));
    LayerTensors tensors;
    for (size_t p = slot.first; p < slot.first + slot.count; ++p) {
      tensors.values.push_back(values_.floats() + offsets_[p]);
      tensors.gradients.push_back(gradients_.floats() + offsets_[p]);
    }
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Prepare(device_, max_rows_, std::move(tensors)));
  }
  return absl::OkStatus();
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

absl::Status Network::Propagate(const Pass& pass, const Batch& batch, const AwaitValues& await) {
  const float* x = batch.features;
  for (size_t i = 0; i < layers_.size(); ++i) {
    const LayerSlot& slot = slots_[i];
    if (await && slot.count > 0) {
      SYNCLINE_RETURN_IF_ERROR(await(slot.first, slot.count));
      SYNCLINE_RETURN_IF_ERROR(Upload(slot.first, slot.count));
    }
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Forward(pass, x, slot.output.floats()));
    x = slot.output.floats();
  }
  return absl::OkStatus();
}

absl::Status Network::Forward(const Batch& batch, const AwaitValues& await) {
  pass_ = {};
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  const Pass pass = {batch.rows, /*training=*/true, batch.step, batch.first_row};
  SYNCLINE_RETURN_IF_ERROR(Propagate(pass, batch, await));
  SYNCLINE_RETURN_IF_ERROR(loss_->Compute(batch, slots_.back().output.floats(),
                                          &static_cast<Results*>(results_.data())->loss_sum,
                                          slopes_[0].floats()));
  pass_ = pass;
  features_ = batch.features;
  return absl::OkStatus();
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

absl::Status Network::Backward(const GradientReady& ready) {
  if (pass_.rows == 0) return absl::FailedPreconditionError("Backward needs a Forward before it");
  const Pass pass = std::exchange(pass_, {});
  pending_.clear();
  reported_ = 0;
  // Below the first layer that learns, nobody needs a gradient.
  size_t lowest = 0;
  while (slots_[lowest].count == 0) ++lowest;
  float* dy = slopes_[0].floats();
  float* dx = slopes_[1].floats();
  for (size_t i = layers_.size(); i-- > lowest;) {
    const LayerSlot& slot = slots_[i];
    const float* x = i == 0 ? features_ : slots_[i - 1].output.floats();
    const auto made = [&](int parameter) -> absl::Status {
      SYNCLINE_RETURN_IF_ERROR(StartDownload(slot.first + parameter));
      return ReportReady(/*wait=*/false, ready);
    };
    SYNCLINE_RETURN_IF_ERROR(layers_[i]->Backward(pass, x, slot.output.floats(), dy,
                                                  i == lowest ? nullptr : dx, made));
    std::swap(dy, dx);
  }
  return ReportReady(/*wait=*/true, ready);
}

absl::StatusOr<double> Network::LossSum() {
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::copy, kComputeStream, host_results_.data(),
                                        results_.data(), sizeof(Results)));
  SYNCLINE_RETURN_IF_ERROR(device_->Run(&Backend::synchronize));
  return static_cast<const Results*>(host_results_.data())->loss_sum;
}

absl::StatusOr<Network::Evaluation> Network::Evaluate(const Batch& batch,
                                                      const AwaitValues& await) {
  pass_ = {};
  SYNCLINE_RETURN_IF_ERROR(CheckBatch(batch));
  const Pass pass = {batch.rows, /*training=*/false, batch.step, batch.first_row};
  SYNCLINE_RETURN_IF_ERROR(Propagate(pass, batch, await));
  const float* output = slots_.back().output.floats();
  Results* results = static_cast<Results*>(results_.data());
  SYNCLINE_RETURN_IF_ERROR(loss_->Compute(batch, output, &results->loss_sum, nullptr));
  SYNCLINE_RETURN_IF_ERROR(loss_->CountCorrect(batch, output, &results->correct));
  SYNCLINE_ASSIGN_OR_RETURN(const double loss_sum, LossSum());
  const int correct = static_cast<const Results*>(host_results_.data())->correct;
  return Evaluation{batch.rows, loss_sum, correct};
}

}  // namespace syncline
