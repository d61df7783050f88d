#ifndef SYNCLINE_COMMON_OPTIMIZER_RMSPROP_H_
#define SYNCLINE_COMMON_OPTIMIZER_RMSPROP_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// RMSProp (Tieleman and Hinton, 2012) as PyTorch has it, with momentum on the scaled gradient:
// g += decay w; mean = alpha mean + (1 - alpha) g^2; u = g / (sqrt(mean) + epsilon);
// buffer = momentum buffer + u; w -= lr buffer. Without momentum there is no buffer and w -= lr u.
// State: the mean of squares, then the buffer.
class RmsProp : public UpdateRule {
 public:
  struct Settings {
    double alpha = 0.99;
    double epsilon = 1e-8;
    double momentum = 0;
    double weight_decay = 0;
  };
  explicit RmsProp(const Settings& settings) : settings_(settings) {}

  int state_slots() const override { return settings_.momentum > 0 ? 2 : 1; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  const Settings settings_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_RMSPROP_H_
