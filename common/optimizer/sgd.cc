#include "common/optimizer/sgd.h"

#include "common/optimizer/kernels.h"

namespace syncline {

void Sgd::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const float rate = step.learning_rate;
  const float decay = weight_decay_;
  if (decay == 0) {
    Vectorise([=]() SYNCLINE_INLINE {
      SYNCLINE_ELEMENTWISE
      for (size_t i = 0; i < a.n; ++i) a.weights_out[i] = a.weights_in[i] - rate * a.gradient[i];
    });
    return;
  }
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float w = a.weights_in[i];
      const float g = a.gradient[i] + decay * w;
      a.weights_out[i] = w - rate * g;
    }
  });
}

}  // namespace syncline
