#ifndef SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_H_
#define SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_H_

#include <cstddef>
#include <cstdint>

namespace syncline {

// Slots of state beside the weights that any optimizer has at most.
constexpr int kMaxStateSlots = 2;

struct UpdateStep {
  // Which update of the chunk this is, from 1: for bias correction.
  uint64_t number = 1;
  float learning_rate = 0;
};

// Where one update of `n` consecutive elements reads and writes. An output is either the input it
// replaces (in place) or does not overlap anything. `state_*` have state_slots() arrays.
struct UpdateArrays {
  const float* gradient = nullptr;
  const float* weights_in = nullptr;
  float* weights_out = nullptr;
  const float* state_in[kMaxStateSlots] = {};
  float* state_out[kMaxStateSlots] = {};
  size_t n = 0;
};

// Sums over elements that an optimizer which looks at whole tensors needs.
struct LayerSums {
  double squared_weights = 0;
  double squared_update = 0;
};

// An update rule: new weights and state from old ones and a gradient.
//
// Every rule works on each element by itself, in the same order of operations at any position and
// on any processor, so how a range is cut changes no bit. Immutable, hence thread-safe. Knows
// nothing of learning-rate schedules and gradient clipping; weight decay is part of the rule.
//
// A layer-wise rule (LAMB) runs in two passes over all of a tensor: Prepare on every part, then,
// with the parts' sums added in order, Finish on every part. The others need Apply only.
class UpdateRule {
 public:
  virtual ~UpdateRule() = default;

  virtual int state_slots() const = 0;
  // What every element of a slot begins with.
  virtual float initial_state(int /*slot*/) const { return 0; }

  // One update. For a layer-wise rule: as though the arrays were a whole tensor.
  virtual void Apply(const UpdateStep& step, const UpdateArrays& arrays) const = 0;

  virtual bool layer_wise() const { return false; }
  // First pass: writes state_out and leaves the weights. Sums are per call, in an order that
  // depends on `n` alone.
  virtual LayerSums Prepare(const UpdateStep&, const UpdateArrays&) const { return {}; }
  // Second pass: writes weights_out from state_out; gradient and state_in are not looked at.
  virtual void Finish(const UpdateStep&, const LayerSums& /*tensor*/,
                      const UpdateArrays&) const {}
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_H_
