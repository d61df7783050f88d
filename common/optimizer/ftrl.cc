#include "common/optimizer/ftrl.h"

#include <cmath>

#include "common/optimizer/kernels.h"

namespace syncline {
namespace {

// `power(n)` is n^-learning_rate_power.
template <typename Power>
SYNCLINE_INLINE inline void ApplyFtrl(const Ftrl::Settings& s, float rate, const UpdateArrays& a,
                                      const Power& power) {
  const float l1 = s.l1, l2 = s.l2, beta = s.beta, decay = s.weight_decay;
  SYNCLINE_ELEMENTWISE
  for (size_t i = 0; i < a.n; ++i) {
    const float w = a.weights_in[i];
    const float g = a.gradient[i] + decay * w;
    const float n = a.state_in[0][i];
    const float n_next = n + g * g;
    const float root = power(n_next);
    const float z = a.state_in[1][i] + g - (root - power(n)) / rate * w;
    const float shrunk = z < 0 ? z + l1 : z - l1;
    const float solved = -shrunk / ((beta + root) / rate + l2);
    a.state_out[0][i] = n_next;
    a.state_out[1][i] = z;
    // Written so that NaN stays NaN.
    a.weights_out[i] = __builtin_fabsf(z) <= l1 ? 0.0f : solved;
  }
}

}  // namespace

void Ftrl::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const Settings s = settings_;
  const float rate = step.learning_rate;
  if (rate <= 0) return Hold(a);
  if (s.learning_rate_power == -0.5) {
    Vectorise([=]() SYNCLINE_INLINE {
      ApplyFtrl(s, rate, a, [](float n) SYNCLINE_INLINE { return __builtin_sqrtf(n); });
    });
  } else {
    const float exponent = -s.learning_rate_power;
    ApplyFtrl(s, rate, a, [=](float n) { return std::pow(n, exponent); });
  }
}

void Ftrl::Hold(const UpdateArrays& a) {
  for (size_t i = 0; i < a.n; ++i) {
    a.weights_out[i] = a.weights_in[i];
    a.state_out[0][i] = a.state_in[0][i];
    a.state_out[1][i] = a.state_in[1][i];
  }
}

}  // namespace syncline
