#ifndef SYNCLINE_COMMON_OPTIMIZER_ELEMENTWISE_ROWS_H_
#define SYNCLINE_COMMON_OPTIMIZER_ELEMENTWISE_ROWS_H_

#include <memory>
#include <utility>

#include "common/optimizer/row_rule.h"

namespace syncline {

// An UpdateRule for the rows that an update touches; the others stay as they are, whatever the rule
// would do to them with a gradient of 0 (decay, momentum: "lazy"). Adam's correction of the bias
// counts all updates of the slot, as torch.optim.SparseAdam's does. Not for layer-wise rules.
class ElementwiseRows : public RowRule {
 public:
  explicit ElementwiseRows(std::unique_ptr<const UpdateRule> rule) : rule_(std::move(rule)) {}

  int state_arrays() const override { return rule_->state_slots(); }
  size_t state_width(int, size_t dim) const override { return dim; }
  float initial_state(int array) const override { return rule_->initial_state(array); }
  void Apply(const UpdateStep& step, const RowArrays& rows) const override;

 private:
  const std::unique_ptr<const UpdateRule> rule_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ELEMENTWISE_ROWS_H_
