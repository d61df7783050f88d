#ifndef SYNCLINE_COMMON_OPTIMIZER_LAMB_H_
#define SYNCLINE_COMMON_OPTIMIZER_LAMB_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// LAMB (You et al., 2020): Adam's direction with decoupled weight decay, its length set tensor by
// tensor. m and v as in Adam; u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + epsilon) + decay w;
// w -= lr ||w|| / ||u|| u over the whole tensor, where the ratio is 1 if either norm is 0.
// State: m, then v. The second pass works u out again rather than keep it: that takes no memory.
class Lamb : public UpdateRule {
 public:
  struct Settings {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-6;
    double weight_decay = 0;
  };
  explicit Lamb(const Settings& settings) : settings_(settings) {}

  int state_slots() const override { return 2; }
  bool layer_wise() const override { return true; }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;
  LayerSums Prepare(const UpdateStep& step, const UpdateArrays& arrays) const override;
  void Finish(const UpdateStep& step, const LayerSums& tensor,
              const UpdateArrays& arrays) const override;

 private:
  const Settings settings_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_LAMB_H_
