#include "common/optimizer/exact_adam.h"

#include <cmath>
#include <vector>

#include "common/optimizer/adam.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

constexpr size_t kDim = 19;
constexpr float kRate = 0.01f;

// A row by ExactAdam, which skips the steps without a gradient, and by Adam, which makes them all.
class ExactAdamTest : public testing::Test {
 protected:
  void Gradient(int step) {
    for (size_t i = 0; i < kDim; ++i) g_[i] = std::sin(static_cast<float>(i + 1) * step);
    CatchUp();
    rule_.Apply({++step_, kRate}, Row());
    Dense();
  }
  void Pass(uint32_t steps) {
    g_.assign(kDim, 0);
    for (passed_ += steps; steps > 0; --steps) ++step_, Dense();
  }
  void CatchUp() {
    rule_.CatchUp(step_, Row());
    passed_ = 0;
  }
  void ExpectTheSame() {
    for (size_t i = 0; i < kDim; ++i) EXPECT_NEAR(w_[i], dense_w_[i], 3e-6) << i;
    for (size_t i = 0; i < kDim; ++i) EXPECT_NEAR(m_[i], dense_m_[i], 1e-6) << i;
    for (size_t i = 0; i < kDim; ++i) EXPECT_NEAR(v_[i], dense_v_[i], 1e-6) << i;
  }

  const ExactAdam rule_{ExactAdam::Settings{}};

 private:
  RowArrays Row() {
    return {1, kDim, g_.data(), w_.data(), {m_.data(), v_.data(), &rate_}, &passed_};
  }
  void Dense() {
    const Adam dense{Adam::Settings{}};
    dense.Apply({step_, kRate}, {g_.data(),
                                 dense_w_.data(),
                                 dense_w_.data(),
                                 {dense_m_.data(), dense_v_.data()},
                                 {dense_m_.data(), dense_v_.data()},
                                 kDim});
  }

  uint64_t step_ = 0;
  uint32_t passed_ = 0;
  float rate_ = 0;
  std::vector<float> g_ = std::vector<float>(kDim, 0);
  std::vector<float> w_ = std::vector<float>(kDim, 0.5f), m_ = g_, v_ = g_;
  std::vector<float> dense_w_ = w_, dense_m_ = g_, dense_v_ = g_;
};

TEST_F(ExactAdamTest, StepsThatPassARowAreMadeLater) {
  for (int round = 1; round <= 10; ++round) {
    Gradient(round);
    Pass(static_cast<uint32_t>(round * 3));
    CatchUp();
    ExpectTheSame();
  }
}

TEST_F(ExactAdamTest, AThousandStepsAreNoMoreThanTheHorizon) {
  EXPECT_EQ(rule_.horizon(), 188u);
  Gradient(1);
  Pass(1000);
  CatchUp();
  ExpectTheSame();
  Gradient(2);
  ExpectTheSame();
}

TEST_F(ExactAdamTest, ARowAlwaysTouchedIsDenseAdam) {
  for (int step = 1; step <= 30; ++step) Gradient(step);
  ExpectTheSame();
}

}  // namespace
}  // namespace syncline
