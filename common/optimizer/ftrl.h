#ifndef SYNCLINE_COMMON_OPTIMIZER_FTRL_H_
#define SYNCLINE_COMMON_OPTIMIZER_FTRL_H_

#include "common/optimizer/update_rule.h"

namespace syncline {

// FTRL-proximal (McMahan et al., "Ad Click Prediction: a View from the Trenches", KDD 2013), per
// coordinate, with the power of the rate left open (theirs is -1/2). With q(n) = n^-power:
// n' = n + g^2; z += g - (q(n') - q(n)) / lr w;
// w = 0 where |z| <= l1, else -(z - sign(z) l1) / ((beta + q(n')) / lr + l2).
// State: n, then z. Weight decay is added to g as in the other rules.
class Ftrl : public UpdateRule {
 public:
  struct Settings {
    double learning_rate_power = -0.5;
    double l1 = 0;
    double l2 = 0;
    double beta = 0;
    double initial_accumulator = 0;
    double weight_decay = 0;
  };
  explicit Ftrl(const Settings& settings) : settings_(settings) {}

  int state_slots() const override { return 2; }
  float initial_state(int slot) const override {
    return slot == 0 ? static_cast<float>(settings_.initial_accumulator) : 0;
  }
  void Apply(const UpdateStep& step, const UpdateArrays& arrays) const override;

 private:
  // A rate of 0 (the first step of a warm-up) leaves everything as it is.
  static void Hold(const UpdateArrays& arrays);

  const Settings settings_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_FTRL_H_
