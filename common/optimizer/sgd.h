#ifndef SYNCLINE_COMMON_OPTIMIZER_SGD_H_
#define SYNCLINE_COMMON_OPTIMIZER_SGD_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// Stochastic gradient descent (Robbins and Monro, 1951): w -= lr (g + decay w).
class Sgd : public UpdateRule {
 public:
  explicit Sgd(float weight_decay) : weight_decay_(weight_decay) {}

  int state_slots() const override { return 0; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  const float weight_decay_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_SGD_H_
