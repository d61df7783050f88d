#include "common/optimizer/elementwise_rows.h"

namespace syncline {

void ElementwiseRows::Apply(const UpdateStep& step, const RowArrays& rows) const {
  UpdateArrays arrays;
  arrays.gradient = rows.gradients;
  arrays.weights_in = arrays.weights_out = rows.weights;
  for (int slot = 0; slot < rule_->state_slots(); ++slot) {
    arrays.state_in[slot] = arrays.state_out[slot] = rows.state[slot];
  }
  arrays.n = rows.rows * rows.dim;
  rule_->Apply(step, arrays);
}

}  // namespace syncline
