#include "worker/pipeline/stage.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/pipeline/schedule.h"

namespace syncline {
namespace {

// Rows of part `m` of `parts`: begin, and the next one's.
int RowOf(int rows, int m, int parts) { return static_cast<int>(int64_t{rows} * m / parts); }

}  // namespace

Network::Part PipelineStage::Part(const Pipeline& pipeline, int stage, const LayerRange& layers) {
  Network::Part part;
  part.layers = layers;
  part.slots = MicroBatchesUnderWay(pipeline.schedule(), stage, static_cast<int>(pipeline.stages()),
                                    static_cast<int>(pipeline.micro_batches()));
  part.recompute = pipeline.recompute();
  return part;
}

int PipelineStage::MicroRows(const Pipeline& pipeline, int max_rows) {
  const int parts = static_cast<int>(pipeline.micro_batches());
  return (max_rows + parts - 1) / parts;
}

absl::StatusOr<std::unique_ptr<PipelineStage>> PipelineStage::Create(const Options& options) {
  std::unique_ptr<PipelineStage> stage(new PipelineStage(options));
  SYNCLINE_RETURN_IF_ERROR(stage->Allocate());
  return stage;
}

PipelineStage::~PipelineStage() {
  for (const auto* sent : {&outputs_sent_, &gradients_sent_}) {
    for (const auto& delivery : *sent) {
      if (delivery != nullptr) delivery->Wait();
    }
  }
}

absl::Status PipelineStage::Allocate() {
  slots_ = Part(options_.pipeline, options_.stage, {}).slots;
  outputs_sent_.resize(slots_);
  gradients_sent_.resize(slots_);
  const size_t rows = MicroRows(options_.pipeline, options_.max_rows);
  const size_t in = sizeof(float) * rows * options_.network->inputs();
  const size_t out = sizeof(float) * rows * options_.network->outputs();
  const Device* const device = options_.device;
  const bool on_host = !device->host_memory();
  if (!first()) {
    SYNCLINE_ASSIGN_OR_RETURN(inputs_, DeviceMemory::Allocate(device, in * slots_));
    if (on_host) {
      SYNCLINE_ASSIGN_OR_RETURN(input_gradients_, DeviceMemory::Allocate(device, in * slots_));
      SYNCLINE_ASSIGN_OR_RETURN(sent_gradients_, AllocateSent(in * slots_));
    } else {
      SYNCLINE_ASSIGN_OR_RETURN(input_gradients_, AllocateSent(in * slots_));
    }
  }
  if (!last()) {
    SYNCLINE_ASSIGN_OR_RETURN(output_gradient_, DeviceMemory::Allocate(device, out));
    if (on_host) {
      SYNCLINE_ASSIGN_OR_RETURN(sent_outputs_, AllocateSent(out * slots_));
    }
  }
  if (on_host) {
    SYNCLINE_ASSIGN_OR_RETURN(
        received_, DeviceMemory::Allocate(device, std::max(in, out), DeviceMemory::Place::kHost));
  }
  return absl::OkStatus();
}

absl::StatusOr<DeviceMemory> PipelineStage::AllocateSent(size_t bytes) {
  return DeviceMemory::AdoptOrAllocate(options_.device, options_.team->memory()->Allocate(bytes), bytes);
}

Batch PipelineStage::Micro(const Batch& batch, int m, int parts, int slot) {
  Batch micro = batch;
  const int row = RowOf(batch.rows, m, parts);
  const size_t inputs = options_.network->inputs();
  micro.rows = RowOf(batch.rows, m + 1, parts) - row;
  micro.mean_rows = batch.rows;
  micro.first_row = batch.first_row + row;
  if (first()) {
    micro.features = batch.features + row * inputs;
  } else {
    micro.features = inputs_.floats() + slot * MicroRows(options_.pipeline, options_.max_rows) * inputs;
  }
  if (last() && batch.labels != nullptr) micro.labels = batch.labels + row * options_.network->labels();
  if (last() && batch.targets != nullptr) micro.targets = batch.targets + row * options_.network->outputs();
  return micro;
}

// What is sent stays where it is until it has arrived, as a slot's memory is not used before.
absl::Status PipelineStage::Send(TeamMessage::Kind kind, int stage, int m, const float* device_memory,
                                 size_t floats, int slot) {
  const bool forward = kind == TeamMessage::ACTIVATION;
  const size_t bytes = sizeof(float) * floats;
  const void* data = device_memory;
  if (!options_.device->host_memory()) {
    const DeviceMemory& sent = forward ? sent_outputs_ : sent_gradients_;
    void* const to = static_cast<char*>(sent.data()) + sent.bytes() / slots_ * slot;
    SYNCLINE_RETURN_IF_ERROR(options_.device->Run(&Backend::copy, kComputeStream, to, device_memory, bytes));
    SYNCLINE_RETURN_IF_ERROR(options_.device->Run(&Backend::synchronize));
    data = to;
  }
  sent_bytes_ += bytes;
  (forward ? outputs_sent_ : gradients_sent_)[slot] =
      options_.team->Send(PlaceOf(stage), MessageOf(kind, attempt_, m), Fragments::Of(data, bytes));
  return absl::OkStatus();
}

absl::Status PipelineStage::Receive(TeamMessage::Kind kind, int stage, int m, float* device_memory,
                                    size_t floats) {
  const absl::Time begin = SteadyNow();
  const auto message = options_.team->mailbox()->Take(kind, PlaceOf(stage), m);
  idle_seconds_ += SecondsSince(begin);
  SYNCLINE_RETURN_IF_ERROR(message.status());
  const size_t bytes = sizeof(float) * floats;
  if (message->data.size() != bytes) {
    return absl::InternalError(absl::StrCat("stage ", stage, " sent ", message->data.size(),
                                            " bytes of micro-batch ", m, " in place of ", bytes,
                                            ": run the same job everywhere"));
  }
  const bool direct = options_.device->host_memory();
  char* const to = direct ? reinterpret_cast<char*>(device_memory) : static_cast<char*>(received_.data());
  FloatReader(message->data).Copy(bytes, to);
  SYNCLINE_RETURN_IF_ERROR(message->CheckIntact());
  if (direct) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(
      options_.device->Run(&Backend::copy, kComputeStream, device_memory, received_.data(), bytes));
  return options_.device->Run(&Backend::synchronize);  // `received_` is used again
}

absl::Status PipelineStage::GetInput(const Batch& micro, int m, int slot) {
  if (outputs_sent_[slot] != nullptr) std::exchange(outputs_sent_[slot], nullptr)->Wait();
  if (first()) return absl::OkStatus();
  return Receive(TeamMessage::ACTIVATION, options_.stage - 1, m, const_cast<float*>(micro.features),
                 micro.rows * options_.network->inputs());
}

absl::Status PipelineStage::Forward(const Batch& micro, int m, int slot, const Network::AwaitValues& await) {
  SYNCLINE_RETURN_IF_ERROR(GetInput(micro, m, slot));
  SYNCLINE_RETURN_IF_ERROR(options_.network->Forward(micro, await, slot));
  if (last()) return absl::OkStatus();
  return Send(TeamMessage::ACTIVATION, options_.stage + 1, m, options_.network->output(slot),
              micro.rows * options_.network->outputs(), slot);
}

absl::Status PipelineStage::Backward(const Batch& micro, int m, int parts, int slot,
                                     const Network::GradientReady& ready) {
  Network::BackwardOptions backward;
  backward.slot = slot;
  backward.add = m > 0;
  backward.more = m + 1 < parts;
  if (!last()) {
    backward.output_gradient = output_gradient_.floats();
    SYNCLINE_RETURN_IF_ERROR(Receive(TeamMessage::GRADIENT, options_.stage + 1, m, output_gradient_.floats(),
                                     micro.rows * options_.network->outputs()));
  }
  if (!first()) {
    if (gradients_sent_[slot] != nullptr) std::exchange(gradients_sent_[slot], nullptr)->Wait();
    backward.input_gradient = input_gradients_.floats() + (micro.features - inputs_.floats());
  }
  SYNCLINE_RETURN_IF_ERROR(options_.network->Backward(ready, backward));
  if (first()) return absl::OkStatus();
  return Send(TeamMessage::GRADIENT, options_.stage - 1, m, backward.input_gradient,
              micro.rows * options_.network->inputs(), slot);
}

absl::StatusOr<BatchResult> PipelineStage::Run(const Batch& batch, const TeamAttempt& attempt,
                                               const Network::AwaitValues& await,
                                               const Network::GradientReady& ready) {
  attempt_ = attempt;
  const absl::Time begin = SteadyNow();
  const int parts = std::min(static_cast<int>(options_.pipeline.micro_batches()), batch.rows);
  BatchResult result;
  double waited = 0;
  const auto timed = [&](size_t first, size_t count) {
    const absl::Time wait = SteadyNow();
    const absl::Status there = await(first, count);
    waited += SecondsSince(wait);
    return there;
  };
  for (const PipelineAction& action :
       MakeSchedule(options_.pipeline.schedule(), options_.stage, stages(), parts)) {
    const int m = action.micro_batch;
    const int slot = m % slots_;
    const Batch micro = Micro(batch, m, parts, slot);
    if (action.kind == PipelineAction::kForward) {
      SYNCLINE_RETURN_IF_ERROR(Forward(micro, m, slot, m == 0 ? Network::AwaitValues(timed) : nullptr));
      continue;
    }
    SYNCLINE_RETURN_IF_ERROR(Backward(micro, m, parts, slot, ready));
    if (!last()) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const BatchResult part, options_.network->Result(slot));
    result += part;
  }
  seconds_ += SecondsSince(begin) - waited;
  return result;
}

absl::StatusOr<BatchResult> PipelineStage::Evaluate(const Batch& batch, const TeamAttempt& attempt) {
  attempt_ = attempt;
  const int parts = std::min(static_cast<int>(options_.pipeline.micro_batches()), batch.rows);
  BatchResult result;
  for (int m = 0; m < parts; ++m) {
    const int slot = m % slots_;
    const Batch micro = Micro(batch, m, parts, slot);
    SYNCLINE_RETURN_IF_ERROR(GetInput(micro, m, slot));
    if (last()) {
      SYNCLINE_ASSIGN_OR_RETURN(const BatchResult part, options_.network->Evaluate(micro));
      result += part;
      continue;
    }
    SYNCLINE_RETURN_IF_ERROR(options_.network->Infer(micro, slot));
    SYNCLINE_RETURN_IF_ERROR(Send(TeamMessage::ACTIVATION, options_.stage + 1, m,
                                  options_.network->output(slot),
                                  micro.rows * options_.network->outputs(), slot));
  }
  return result;
}

TeamProgress PipelineStage::progress() const {
  TeamProgress progress;
  progress.set_memory_bytes(options_.device->allocated());
  progress.set_pipeline_seconds(seconds_);
  progress.set_idle_seconds(idle_seconds_);
  progress.set_layers(options_.layers);
  progress.set_sent_bytes(sent_bytes_);
  return progress;
}

}  // namespace syncline
