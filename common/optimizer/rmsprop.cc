#include "common/optimizer/rmsprop.h"

#include "common/optimizer/kernels.h"

namespace syncline {

void RmsProp::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const float rate = step.learning_rate;
  const float alpha = settings_.alpha;
  const float rest = 1 - settings_.alpha;
  const float epsilon = settings_.epsilon;
  const float momentum = settings_.momentum;
  const float decay = settings_.weight_decay;
  const bool has_buffer = state_slots() == 2;
  // Without momentum the direction goes nowhere but into the weights; reading the mean instead of a
  // buffer that is not there and multiplying it by 0 would turn its infinity into NaN.
  Vectorise([=]() SYNCLINE_INLINE {
    if (has_buffer) {
      SYNCLINE_ELEMENTWISE
      for (size_t i = 0; i < a.n; ++i) {
        const float w = a.weights_in[i];
        const float g = a.gradient[i] + decay * w;
        const float mean = alpha * a.state_in[0][i] + rest * g * g;
        const float buffer = momentum * a.state_in[1][i] + g / (__builtin_sqrtf(mean) + epsilon);
        a.state_out[0][i] = mean;
        a.state_out[1][i] = buffer;
        a.weights_out[i] = w - rate * buffer;
      }
    } else {
      SYNCLINE_ELEMENTWISE
      for (size_t i = 0; i < a.n; ++i) {
        const float w = a.weights_in[i];
        const float g = a.gradient[i] + decay * w;
        const float mean = alpha * a.state_in[0][i] + rest * g * g;
        a.state_out[0][i] = mean;
        a.weights_out[i] = w - rate * g / (__builtin_sqrtf(mean) + epsilon);
      }
    }
  });
}

}  // namespace syncline
