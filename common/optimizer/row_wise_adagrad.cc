#include "common/optimizer/row_wise_adagrad.h"

#include "common/optimizer/kernels.h"

namespace syncline {

void RowWiseAdagrad::Apply(const UpdateStep& step, const RowArrays& rows) const {
  const RowArrays a = rows;
  const float rate = step.learning_rate;
  const float epsilon = epsilon_;
  const float decay = weight_decay_;
  Vectorise([=]() SYNCLINE_INLINE {
    for (size_t row = 0; row < a.rows; ++row) {
      float* const w = a.weights + row * a.dim;
      const float* const gradient = a.gradients + row * a.dim;
      const double squares = SumInLanes(a.dim, [=](size_t i) SYNCLINE_INLINE {
        const double g = gradient[i] + decay * w[i];
        return g * g;
      });
      float& sum = a.state[0][row];
      sum += static_cast<float>(squares / static_cast<double>(a.dim));
      const float root = __builtin_sqrtf(sum) + epsilon;
      SYNCLINE_ELEMENTWISE
      for (size_t i = 0; i < a.dim; ++i) {
        const float g = gradient[i] + decay * w[i];
        w[i] -= rate * g / root;
      }
    }
  });
}

}  // namespace syncline
