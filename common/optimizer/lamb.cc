#include "common/optimizer/lamb.h"

#include <cmath>

#include "common/optimizer/kernels.h"

namespace syncline {
namespace {

// The update before it is scaled, from the moments after this step.
struct Direction {
  float correction1, correction2, epsilon, decay;

  Direction(const Lamb::Settings& s, uint64_t step)
      : correction1(1 - std::pow(s.beta1, static_cast<double>(step))),
        correction2(1 - std::pow(s.beta2, static_cast<double>(step))),
        epsilon(s.epsilon),
        decay(s.weight_decay) {}

  SYNCLINE_INLINE inline float operator()(float m, float v, float w) const {
    return m / correction1 / (__builtin_sqrtf(v / correction2) + epsilon) + decay * w;
  }
};

}  // namespace

LayerSums Lamb::Prepare(const UpdateStep& step, const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const float beta1 = settings_.beta1, rest1 = 1 - settings_.beta1;
  const float beta2 = settings_.beta2, rest2 = 1 - settings_.beta2;
  const Direction direction(settings_, step.number);
  LayerSums sums;
  Vectorise([=, &sums]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float g = a.gradient[i];
      a.state_out[0][i] = beta1 * a.state_in[0][i] + rest1 * g;
      a.state_out[1][i] = beta2 * a.state_in[1][i] + rest2 * g * g;
    }
    sums.squared_weights = SumInLanes(a.n, [=](size_t i) SYNCLINE_INLINE {
      const double w = a.weights_in[i];
      return w * w;
    });
    sums.squared_update = SumInLanes(a.n, [=](size_t i) SYNCLINE_INLINE {
      const double u = direction(a.state_out[0][i], a.state_out[1][i], a.weights_in[i]);
      return u * u;
    });
  });
  return sums;
}

void Lamb::Finish(const UpdateStep& step, const LayerSums& tensor,
                  const UpdateArrays& arrays) const {
  const UpdateArrays a = arrays;
  const Direction direction(settings_, step.number);
  const bool scaled = tensor.squared_weights > 0 && tensor.squared_update > 0;
  const double ratio = scaled ? std::sqrt(tensor.squared_weights / tensor.squared_update) : 1;
  const float rate = step.learning_rate * ratio;
  Vectorise([=]() SYNCLINE_INLINE {
    SYNCLINE_ELEMENTWISE
    for (size_t i = 0; i < a.n; ++i) {
      const float w = a.weights_in[i];
      a.weights_out[i] = w - rate * direction(a.state_out[0][i], a.state_out[1][i], w);
    }
  });
}

void Lamb::Apply(const UpdateStep& step, const UpdateArrays& arrays) const {
  Finish(step, Prepare(step, arrays), arrays);
}

}  // namespace syncline
