#include "common/optimizer/elementwise_rows.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "common/optimizer/adagrad.h"
#include "common/optimizer/adam.h"
#include "common/optimizer/ftrl.h"
#include "common/optimizer/momentum.h"
#include "common/optimizer/sgd.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr size_t kRows = 5, kDim = 3;
constexpr float kRate = 0.1f;

// One element's history by the textbook, in double.
struct Element {
  double w, s0, s1;
};
using Reference = void (*)(int step, double g, Element* e);

void SgdStep(int, double g, Element* e) { e->w -= kRate * g; }
void MomentumStep(int, double g, Element* e) {
  e->s0 = 0.9 * e->s0 + g;
  e->w -= kRate * e->s0;
}
void AdagradStep(int, double g, Element* e) {
  e->s0 += g * g;
  e->w -= kRate * g / (std::sqrt(e->s0) + 1e-10);
}
void AdamStep(int step, double g, Element* e) {
  e->s0 = 0.9 * e->s0 + 0.1 * g;
  e->s1 = 0.999 * e->s1 + 0.001 * g * g;
  const double m = e->s0 / (1 - std::pow(0.9, step)), v = e->s1 / (1 - std::pow(0.999, step));
  e->w -= kRate * m / (std::sqrt(v) + 1e-8);
}
void FtrlStep(int, double g, Element* e) {
  const double n = e->s0 + g * g;
  e->s1 += g - (std::sqrt(n) - std::sqrt(e->s0)) / kRate * e->w;
  e->s0 = n;
  const double l1 = 0.05, z = e->s1;
  e->w = std::fabs(z) <= l1 ? 0 : -(z - (z < 0 ? -l1 : l1)) / (std::sqrt(n) / kRate);
}

std::unique_ptr<const UpdateRule> Make(Reference reference) {
  Ftrl::Settings ftrl;
  ftrl.l1 = 0.05;
  if (reference == SgdStep) return std::make_unique<Sgd>(0.0f);
  if (reference == MomentumStep) return std::make_unique<Momentum>(0.9f, false, 0.0f);
  if (reference == AdagradStep) return std::make_unique<Adagrad>(1e-10f, 0.0f, 0.0f);
  if (reference == AdamStep) return std::make_unique<Adam>(Adam::Settings{});
  return std::make_unique<Ftrl>(ftrl);
}

class ElementwiseRowsTest : public testing::TestWithParam<Reference> {};

TEST_P(ElementwiseRowsTest, EveryElementGoesTheWayOfTheTextbook) {
  const ElementwiseRows rule(Make(GetParam()));
  std::vector<float> weights(kRows * kDim, 0.0f), gradients(kRows * kDim);
  std::vector<std::vector<float>> state;
  for (int k = 0; k < rule.state_arrays(); ++k) {
    EXPECT_EQ(rule.state_width(k, kDim), kDim);
    state.emplace_back(kRows * kDim, rule.initial_state(k));
  }
  std::vector<Element> expected(kRows * kDim, Element{0, 0, 0});
  const std::vector<uint32_t> passed(kRows, 0);
  for (int step = 1; step <= 20; ++step) {
    for (size_t i = 0; i < gradients.size(); ++i) {
      gradients[i] = std::sin(static_cast<float>(i * 7 + step * 3));
      GetParam()(step, gradients[i], &expected[i]);
    }
    RowArrays rows{kRows, kDim, gradients.data(), weights.data(), {}, passed.data()};
    for (size_t k = 0; k < state.size(); ++k) rows.state[k] = state[k].data();
    rule.Apply({static_cast<uint64_t>(step), kRate}, rows);
  }
  for (size_t i = 0; i < weights.size(); ++i) EXPECT_NEAR(weights[i], expected[i].w, 2e-5) << i;
  EXPECT_FALSE(rule.catches_up());
}

INSTANTIATE_TEST_SUITE_P(Rules, ElementwiseRowsTest,
                         testing::Values(SgdStep, MomentumStep, AdagradStep, AdamStep, FtrlStep));

}  // namespace
}  // namespace syncline
