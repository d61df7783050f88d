#include "worker/train/local_stepper.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "common/optimizer/kernels.h"
#include "common/optimizer/schedule.h"
#include "common/optimizer/update_rule_factory.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<LocalStepper>> LocalStepper::Create(const JobManifest& job,
                                                                   Network* network) {
  SYNCLINE_ASSIGN_OR_RETURN(auto rule, MakeUpdateRule(job.optimizer()));
  return std::unique_ptr<LocalStepper>(
      new LocalStepper(job.optimizer(), std::move(rule), network));
}

LocalStepper::LocalStepper(const Optimizer& optimizer, std::unique_ptr<const UpdateRule> rule,
                           Network* network)
    : optimizer_(optimizer), rule_(std::move(rule)), network_(network) {
  for (const ParameterSpec& parameter : network_->parameters()) {
    const size_t size = static_cast<size_t>(parameter.size());
    begun_.emplace_back(size);
    for (int slot = 0; slot < rule_->state_slots(); ++slot) {
      state_[slot].emplace_back(size, rule_->initial_state(slot));
    }
  }
}

void LocalStepper::Begin() {
  for (size_t p = 0; p < begun_.size(); ++p) {
    std::copy_n(network_->value(p), begun_[p].size(), begun_[p].data());
  }
}

float LocalStepper::ClippingScale() const {
  const double limit = optimizer_.clip_norm();
  if (limit <= 0) return 1;
  double squared = 0;
  for (size_t p = 0; p < begun_.size(); ++p) {
    squared += SumOfSquares(network_->gradient(p), begun_[p].size());
  }
  const double norm = std::sqrt(squared);
  return norm > limit ? static_cast<float>(limit / (norm + 1e-6)) : 1;
}

void LocalStepper::Step(uint64_t step) {
  const float scale = ClippingScale();
  const auto limit = static_cast<float>(optimizer_.clip_value());
  const double rate = LearningRate(optimizer_.schedule(), BaseLearningRate(optimizer_),
                                   static_cast<double>(step));
  const UpdateStep update{++updates_, static_cast<float>(rate)};
  for (size_t p = 0; p < begun_.size(); ++p) {
    float* const gradient = network_->gradient(p);
    UpdateArrays arrays;
    arrays.n = begun_[p].size();
    if (scale != 1 || limit > 0) ScaleAndClip(scale, limit, gradient, gradient, arrays.n);
    arrays.gradient = gradient;
    arrays.weights_in = arrays.weights_out = network_->value(p);
    for (int slot = 0; slot < rule_->state_slots(); ++slot) {
      arrays.state_in[slot] = arrays.state_out[slot] = state_[slot][p].data();
    }
    rule_->Apply(update, arrays);
  }
}

Client::OwnState LocalStepper::State() {
  Client::OwnState state;
  state.updates = updates_;
  for (int slot = 0; slot < rule_->state_slots(); ++slot) {
    std::vector<float*>& tensors = state.slots.emplace_back();
    for (std::vector<float>& tensor : state_[slot]) tensors.push_back(tensor.data());
  }
  return state;
}

void LocalStepper::WriteChange() {
  for (size_t p = 0; p < begun_.size(); ++p) {
    float* const change = network_->gradient(p);
    std::copy(begun_[p].begin(), begun_[p].end(), change);
    AddScaled(-1, network_->value(p), change, begun_[p].size());
  }
}

}  // namespace syncline
