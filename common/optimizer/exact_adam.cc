#include "common/optimizer/exact_adam.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "common/optimizer/adam.h"
#include "common/optimizer/kernels.h"

namespace syncline {
namespace {

// The steps' moves shrink by beta1 / sqrt(beta2) each.
uint32_t Horizon(const ExactAdam::Settings& s) {
  const double shrink = s.beta1 / std::sqrt(s.beta2);
  if (!(shrink < 1)) return std::numeric_limits<uint32_t>::max();  // epsilon apart, they never end
  if (shrink <= 0) return 0;
  // The sum of what is left after k steps is shrink^k / (1 - shrink) of the first.
  return static_cast<uint32_t>(std::ceil(std::log(0x1p-25 * (1 - shrink)) / std::log(shrink)));
}

}  // namespace

ExactAdam::ExactAdam(const Settings& settings) : settings_(settings), horizon_(Horizon(settings)) {}

std::vector<ExactAdam::Factors> ExactAdam::FactorsOf(uint64_t last, uint32_t steps) const {
  const Settings& s = settings_;
  double power1 = std::pow(s.beta1, static_cast<double>(last));
  double power2 = std::pow(s.beta2, static_cast<double>(last));
  double decay1 = 1, decay2 = 1;
  std::vector<Factors> factors(steps);
  for (Factors& factor : factors) {
    power1 *= s.beta1, power2 *= s.beta2;
    decay1 *= s.beta1, decay2 *= s.beta2;
    factor.m = static_cast<float>(decay1 / (1 - power1));
    factor.root = static_cast<float>(std::sqrt(decay2 / (1 - power2)));
  }
  return factors;
}

void ExactAdam::Apply(const UpdateStep& step, const RowArrays& rows) const {
  Adam::Settings dense;
  dense.beta1 = settings_.beta1;
  dense.beta2 = settings_.beta2;
  dense.epsilon = settings_.epsilon;
  UpdateArrays arrays;
  arrays.gradient = rows.gradients;
  arrays.weights_in = arrays.weights_out = rows.weights;
  for (int slot = 0; slot < 2; ++slot) {
    arrays.state_in[slot] = arrays.state_out[slot] = rows.state[slot];
  }
  arrays.n = rows.rows * rows.dim;
  Adam(dense).Apply(step, arrays);
  std::fill_n(rows.state[2], rows.rows, step.learning_rate);
}

void ExactAdam::CatchUp(uint64_t number, const RowArrays& rows) const {
  const float epsilon = settings_.epsilon;
  const size_t dim = rows.dim;
  for (size_t row = 0; row < rows.rows; ++row) {
    const uint32_t passed = rows.passed[row];
    if (passed == 0) continue;
    const auto factors = FactorsOf(number - passed, std::min(passed, horizon_));
    const Factors* const factor = factors.data();
    const size_t steps = factors.size();
    const float rate = rows.state[2][row];
    const float beta1 = std::pow(settings_.beta1, passed),
                beta2 = std::pow(settings_.beta2, passed);
    float* const w = rows.weights + row * dim;
    float* const m = rows.state[0] + row * dim;
    float* const v = rows.state[1] + row * dim;
    Vectorise([=]() SYNCLINE_INLINE {
      for (size_t step = 0; step < steps; ++step) {
        const float size = rate * factor[step].m, root = factor[step].root;
        SYNCLINE_ELEMENTWISE
        for (size_t i = 0; i < dim; ++i) {
          w[i] -= size * m[i] / (root * __builtin_sqrtf(v[i]) + epsilon);
        }
      }
      SYNCLINE_ELEMENTWISE
      for (size_t i = 0; i < dim; ++i) {
        m[i] *= beta1;
        v[i] *= beta2;
      }
    });
  }
}

}  // namespace syncline
