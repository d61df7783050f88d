#include "worker/model/parallel.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

ParallelLayer::ParallelLayer(int inputs, std::vector<Branch> branches) : inputs_(inputs) {
  size_t parameters = 0;
  for (Branch& branch : branches) {
    Strand strand;
    strand.parts = std::move(branch.parts);
    for (const InputPart& part : strand.parts) strand.inputs += part.width;
    strand.units = branch.layers.empty() ? strand.inputs : branch.layers.back()->units();
    if (!branch.layers.empty()) strand.layers = std::make_unique<LayerChain>(std::move(branch.layers));
    strand.first_column = units_;
    strand.first = parameters;
    if (strand.layers != nullptr) strand.parameters = strand.layers->parameters().size();
    units_ += strand.units;
    parameters += strand.parameters;
    strands_.push_back(std::move(strand));
  }
  std::vector<bool> written(inputs);
  for (auto strand = strands_.rbegin(); strand != strands_.rend(); ++strand) {
    for (const InputPart& part : strand->parts) {
      strand->adds.push_back(part.width > 0 && written[part.begin]);
      std::fill_n(written.begin() + part.begin, part.width, true);
    }
  }
  for (int column = 0; column < inputs; ++column) {
    if (written[column]) continue;
    if (unused_.empty() || unused_.back().begin + unused_.back().width < column) unused_.push_back({"", column, 0});
    ++unused_.back().width;
  }
}

std::vector<ParameterSpec> ParallelLayer::parameters() const {
  std::vector<ParameterSpec> specs;
  for (const Strand& strand : strands_) {
    if (strand.layers == nullptr) continue;
    for (ParameterSpec& spec : strand.layers->parameters()) specs.push_back(std::move(spec));
  }
  return specs;
}

absl::Status ParallelLayer::Prepare(const Device* device, int rows, int slots, LayerTensors tensors) {
  device_ = device;
  rows_ = rows;
  int widest = 0;
  for (const InputPart& part : unused_) widest = std::max(widest, part.width);
  const size_t column = sizeof(float) * rows;
  SYNCLINE_ASSIGN_OR_RETURN(zeros_, DeviceMemory::Allocate(device, column * widest));
  for (Strand& strand : strands_) {
    if (strand.layers == nullptr) continue;
    SYNCLINE_ASSIGN_OR_RETURN(strand.in, DeviceMemory::Allocate(device, column * strand.inputs * slots));
    SYNCLINE_ASSIGN_OR_RETURN(strand.slope, DeviceMemory::Allocate(device, column * strand.inputs));
    SYNCLINE_ASSIGN_OR_RETURN(strand.out_slope, DeviceMemory::Allocate(device, column * strand.units));
    const size_t end = strand.first + strand.parameters;
    LayerTensors own;
    own.values.assign(tensors.values.begin() + strand.first, tensors.values.begin() + end);
    own.gradients.assign(tensors.gradients.begin() + strand.first, tensors.gradients.begin() + end);
    SYNCLINE_RETURN_IF_ERROR(strand.layers->Prepare(device, rows, slots, own));
  }
  return absl::OkStatus();
}

absl::Status ParallelLayer::Copy(const Pass& pass, int cols, bool add, int from_stride, const float* from,
                                 int to_stride, float* to) const {
  return device_->Run(&Backend::copy_columns, pass.rows, cols, static_cast<int>(add),
                      static_cast<size_t>(from_stride), from, static_cast<size_t>(to_stride), to);
}

absl::Status ParallelLayer::Forward(const Pass& pass, const float* x, float* y) {
  for (const Strand& strand : strands_) {
    float* const columns = y + strand.first_column;
    if (strand.layers == nullptr) {
      SYNCLINE_RETURN_IF_ERROR(Gather(strand, pass, x, columns, units_));
      continue;
    }
    float* const in = In(strand, pass);
    SYNCLINE_RETURN_IF_ERROR(Gather(strand, pass, x, in, strand.inputs));
    const float* last;
    SYNCLINE_RETURN_IF_ERROR(strand.layers->Forward(pass, in, &last));
    SYNCLINE_RETURN_IF_ERROR(Copy(pass, strand.units, false, strand.units, last, units_, columns));
  }
  return absl::OkStatus();
}

absl::Status ParallelLayer::Gather(const Strand& strand, const Pass& pass, const float* x, float* to,
                                   int stride) const {
  for (const InputPart& part : strand.parts) {
    SYNCLINE_RETURN_IF_ERROR(Copy(pass, part.width, false, inputs_, x + part.begin, stride, to));
    to += part.width;
  }
  return absl::OkStatus();
}

absl::Status ParallelLayer::Scatter(const Strand& strand, const Pass& pass, const float* from, int stride,
                                    float* dx) const {
  for (size_t i = 0; i < strand.parts.size(); ++i) {
    const InputPart& part = strand.parts[i];
    SYNCLINE_RETURN_IF_ERROR(Copy(pass, part.width, strand.adds[i], stride, from, inputs_, dx + part.begin));
    from += part.width;
  }
  return absl::OkStatus();
}

absl::Status ParallelLayer::BackwardStrand(const Strand& strand, const Pass& pass, const float* dy, float* dx,
                                           const GradientMade& made) {
  const float* const columns = dy + strand.first_column;
  if (strand.layers == nullptr) {
    return dx == nullptr ? absl::OkStatus() : Scatter(strand, pass, columns, units_, dx);
  }
  if (dx == nullptr && strand.parameters == 0) return absl::OkStatus();
  float* const out_slope = strand.out_slope.floats();
  SYNCLINE_RETURN_IF_ERROR(Copy(pass, strand.units, false, units_, columns, strand.units, out_slope));
  float* const slope = dx == nullptr ? nullptr : strand.slope.floats();
  SYNCLINE_RETURN_IF_ERROR(strand.layers->Backward(pass, In(strand, pass), out_slope, slope, [&](int parameter) {
    return made(static_cast<int>(strand.first) + parameter);
  }));
  return dx == nullptr ? absl::OkStatus() : Scatter(strand, pass, slope, strand.inputs, dx);
}

absl::Status ParallelLayer::Backward(const Pass& pass, const float*, const float*, float* dy, float* dx,
                                     const GradientMade& made) {
  for (auto strand = strands_.rbegin(); strand != strands_.rend(); ++strand) {
    SYNCLINE_RETURN_IF_ERROR(BackwardStrand(*strand, pass, dy, dx, made));
  }
  if (dx == nullptr) return absl::OkStatus();
  for (const InputPart& part : unused_) {
    SYNCLINE_RETURN_IF_ERROR(Copy(pass, part.width, false, part.width, zeros_.floats(), inputs_, dx + part.begin));
  }
  return absl::OkStatus();
}

}  // namespace syncline
