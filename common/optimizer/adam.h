#ifndef SYNCLINE_COMMON_OPTIMIZER_ADAM_H_
#define SYNCLINE_COMMON_OPTIMIZER_ADAM_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// Adam (Kingma and Ba, 2015) with weight decay added to the gradient, and AdamW (Loshchilov and
// Hutter, 2019) where it is decoupled: w *= 1 - lr decay first. Step t, as PyTorch has it:
// m = beta1 m + (1 - beta1) g; v = beta2 v + (1 - beta2) g^2;
// w -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon). State: m, then v.
class Adam : public UpdateRule {
 public:
  struct Settings {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
    double weight_decay = 0;
    bool decoupled = false;
  };
  explicit Adam(const Settings& settings) : settings_(settings) {}

  int state_slots() const override { return 2; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  const Settings settings_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ADAM_H_
