#ifndef SYNCLINE_COMMON_OPTIMIZER_ROW_WISE_ADAGRAD_H_
#define SYNCLINE_COMMON_OPTIMIZER_ROW_WISE_ADAGRAD_H_

#include "common/optimizer/row_rule.h"

namespace syncline {

// Adagrad with one sum a row, as for the embeddings of DLRM (Naumov et al., arXiv 1906.00091, and
// FBGEMM's EXACT_ROWWISE_ADAGRAD): g += decay w; sum += mean of g^2 over the row;
// w -= lr g / (sqrt(sum) + epsilon). State: the sum, one float.
class RowWiseAdagrad : public RowRule {
 public:
  RowWiseAdagrad(float epsilon, float initial_accumulator, float weight_decay)
      : epsilon_(epsilon), initial_accumulator_(initial_accumulator), weight_decay_(weight_decay) {}

  int state_arrays() const override { return 1; }
  size_t state_width(int, size_t) const override { return 1; }
  float initial_state(int) const override { return initial_accumulator_; }
  void Apply(const UpdateStep& step, const RowArrays& rows) const override;

 private:
  const float epsilon_;
  const float initial_accumulator_;
  const float weight_decay_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ROW_WISE_ADAGRAD_H_
