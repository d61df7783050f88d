#include "common/optimizer/momentum.h"

#include "common/optimizer/kernels.h"

namespace syncline {

void Momentum::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const float rate = step.learning_rate;
  const float momentum = momentum_;
  const float decay = weight_decay_;
  // What of the gradient is added to the buffer's share of the direction.
  const float ahead = nesterov_ ? 1.0f : 0.0f;
  const float share = nesterov_ ? momentum_ : 1.0f;
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float w = a.weights_in[i];
      const float g = a.gradient[i] + decay * w;
      const float buffer = momentum * a.state_in[0][i] + g;
      a.state_out[0][i] = buffer;
      a.weights_out[i] = w - rate * (ahead * g + share * buffer);
    }
  });
}

}  // namespace syncline
