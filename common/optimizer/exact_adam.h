#ifndef SYNCLINE_COMMON_OPTIMIZER_EXACT_ADAM_H_
#define SYNCLINE_COMMON_OPTIMIZER_EXACT_ADAM_H_

#include <vector>

#include "common/optimizer/row_rule.h"

namespace syncline {

// Adam (common/optimizer/adam.h) on a table as on a dense tensor: a row that an update passes by
// gets that update all the same, with a gradient of 0, when it is next touched or looked at.
//
// The moments of k such steps are closed: m beta1^k, v beta2^k. The weights' way is not, as epsilon
// and the corrections of the bias are in every step's divisor; it is the sum over the steps, in
// float32,
//   w -= lr / (1 - beta1^t) beta1^j m / (sqrt(beta2^j v) / sqrt(1 - beta2^t) + epsilon), j = 1 … k,
// cut off where all that is left is below 2^-25 of the first (horizon(): 188 steps with the usual
// betas). So "exact" means: what dense Adam does but for rounding, at a price of at most horizon()
// short vector operations a row. A step that went by is made with the learning rate of the row's
// last update, which it carries: the same as dense Adam while the rate is constant, and close to it
// while it changes slowly. Without weight decay, which would move every row at each step for ever.
//
// State: m, v, and one float, the rate.
class ExactAdam : public RowRule {
 public:
  struct Settings {
    double beta1 = 0.9;
    double beta2 = 0.999;
    double epsilon = 1e-8;
  };
  explicit ExactAdam(const Settings& settings);

  // Steps that a row is moved on by at most; those after them change no bit that counts.
  uint32_t horizon() const { return horizon_; }

  int state_arrays() const override { return 3; }
  size_t state_width(int array, size_t dim) const override { return array < 2 ? dim : 1; }
  float initial_state(int) const override { return 0; }
  void Apply(const UpdateStep& step, const RowArrays& rows) const override;
  bool catches_up() const override { return true; }
  void CatchUp(uint64_t number, const RowArrays& rows) const override;

 private:
  // What a step that passes a row by multiplies its m and root of v with.
  struct Factors {
    float m;
    float root;
  };
  // Of the steps after `last`, the first `steps`, with the rate taken as 1.
  std::vector<Factors> FactorsOf(uint64_t last, uint32_t steps) const;

  const Settings settings_;
  const uint32_t horizon_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_EXACT_ADAM_H_
