#include "common/optimizer/adagrad.h"

#include "common/optimizer/kernels.h"

namespace syncline {

void Adagrad::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const float rate = step.learning_rate;
  const float epsilon = epsilon_;
  const float decay = weight_decay_;
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float w = a.weights_in[i];
      const float g = a.gradient[i] + decay * w;
      const float sum = a.state_in[0][i] + g * g;
      a.state_out[0][i] = sum;
      a.weights_out[i] = w - rate * g / (__builtin_sqrtf(sum) + epsilon);
    }
  });
}

}  // namespace syncline
