#include "common/optimizer/adam.h"

#include <cmath>

#include "common/optimizer/kernels.h"

namespace syncline {

void Adam::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const Settings& s = settings_;
  const double t = static_cast<double>(step.number);
  const double rate = step.learning_rate;
  const float beta1 = s.beta1, rest1 = 1 - s.beta1;
  const float beta2 = s.beta2, rest2 = 1 - s.beta2;
  const float step_size = rate / (1 - std::pow(s.beta1, t));
  const float root_correction = std::sqrt(1 - std::pow(s.beta2, t));
  const float epsilon = s.epsilon;
  const float decay = s.decoupled ? 0 : s.weight_decay;
  // Not the factor 1 - shrink, whose rounding would add up over the steps.
  const float shrink = s.decoupled ? rate * s.weight_decay : 0;
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float w = a.weights_in[i];
      const float g = a.gradient[i] + decay * w;
      const float m = beta1 * a.state_in[0][i] + rest1 * g;
      const float v = beta2 * a.state_in[1][i] + rest2 * g * g;
      a.state_out[0][i] = m;
      a.state_out[1][i] = v;
      a.weights_out[i] =
          w - shrink * w - step_size * m / (__builtin_sqrtf(v) / root_correction + epsilon);
    }
  });
}

}  // namespace syncline
