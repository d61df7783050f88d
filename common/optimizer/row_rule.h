#ifndef SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_H_
#define SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_H_

#include <cstddef>
#include <cstdint>

#include "common/optimizer/update_rule.h"

namespace syncline {

// Arrays of state beside a row's weights that any rule has at most.
constexpr int kMaxRowState = 3;

// Rows of `dim` weights that one update touches, one behind the other: row r's weights are
// [r * dim, (r + 1) * dim), its part of state array k the same with state_width(k, dim). All but
// the gradients is replaced in place; nothing overlaps.
struct RowArrays {
  size_t rows = 0;
  size_t dim = 0;
  const float* gradients = nullptr;
  float* weights = nullptr;
  float* state[kMaxRowState] = {};
  // Of each row: how many updates there were since the last that touched it. 0 for a new row.
  const uint32_t* passed = nullptr;
};

// An update rule for the rows of a sparse table, where an update touches few of them: new weights
// and state from old ones and a gradient.
//
// A row's result depends on that row alone, in every bit: not on which rows come with it, in which
// order, or on the processor. Immutable, hence thread-safe. As UpdateRule it knows nothing of
// schedules and clipping.
class RowRule {
 public:
  virtual ~RowRule() = default;

  virtual int state_arrays() const = 0;
  // Floats of a row in one of them.
  virtual size_t state_width(int array, size_t dim) const = 0;
  // What they begin with.
  virtual float initial_state(int array) const = 0;

  // One update of the rows. `step.number` counts the updates of their slot.
  virtual void Apply(const UpdateStep& step, const RowArrays& rows) const = 0;

  // A rule whose updates change what they do not touch as well must be told to make up for it,
  // before Apply and whenever weights are looked at.
  virtual bool catches_up() const { return false; }
  // Brings the rows to where update `number` left them, the last `passed` up to which went by
  // without touching them. Looks at no gradients.
  virtual void CatchUp(uint64_t /*number*/, const RowArrays& /*rows*/) const {}
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_H_
