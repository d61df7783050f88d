#ifndef SYNCLINE_COMMON_OPTIMIZER_ADAGRAD_H_
#define SYNCLINE_COMMON_OPTIMIZER_ADAGRAD_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// Adagrad (Duchi, Hazan and Singer, 2011): g += decay w; sum += g^2;
// w -= lr g / (sqrt(sum) + epsilon). State: the sum.
class Adagrad : public UpdateRule {
 public:
  Adagrad(float epsilon, float initial_accumulator, float weight_decay)
      : epsilon_(epsilon), initial_accumulator_(initial_accumulator), weight_decay_(weight_decay) {}

  int state_slots() const override { return 1; }
  float initial_state(int) const override { return initial_accumulator_; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  const float epsilon_;
  const float initial_accumulator_;
  const float weight_decay_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ADAGRAD_H_
