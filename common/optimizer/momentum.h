#ifndef SYNCLINE_COMMON_OPTIMIZER_MOMENTUM_H_
#define SYNCLINE_COMMON_OPTIMIZER_MOMENTUM_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// Heavy-ball momentum (Polyak, 1964) and Nesterov's accelerated gradient in the form of Sutskever
// et al. (2013) as PyTorch has them: g += decay w; buffer = momentum buffer + g; then
// w -= lr buffer, or w -= lr (g + momentum buffer) for Nesterov. State: the buffer.
class Momentum : public UpdateRule {
 public:
  Momentum(float momentum, bool nesterov, float weight_decay)
      : momentum_(momentum), nesterov_(nesterov), weight_decay_(weight_decay) {}

  int state_slots() const override { return 1; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  const float momentum_;
  const bool nesterov_;
  const float weight_decay_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_MOMENTUM_H_
