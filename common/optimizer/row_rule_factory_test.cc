#include "common/optimizer/row_rule_factory.h"

#include "common/status/status_matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace syncline {
namespace {

using absl::StatusCode;
using testing::HasSubstr;

RowOptimizer Of(RowOptimizerKind kind) {
  RowOptimizer settings;
  settings.set_kind(kind);
  return settings;
}

// A row of one weight, 1, and the gradient 1.
float AfterOne(const RowOptimizer& settings) {
  const auto rule = MakeRowRule(settings);
  SYNCLINE_EXPECT_OK(rule.status());
  const float gradient = 1;
  float weight = 1, state[kMaxRowState];
  RowArrays row;
  row.rows = row.dim = 1;
  row.gradients = &gradient;
  row.weights = &weight;
  for (int i = 0; i < (*rule)->state_arrays(); ++i) {
    state[i] = (*rule)->initial_state(i);
    row.state[i] = &state[i];
  }
  const uint32_t passed = 0;
  row.passed = &passed;
  (*rule)->Apply({1, 0.5f}, row);
  return weight;
}

TEST(RowRuleFactoryTest, MakesEachOfThem) {
  EXPECT_FLOAT_EQ(AfterOne(Of(ROW_OPTIMIZER_SGD)), 0.5f);
  EXPECT_FLOAT_EQ(AfterOne(Of(ROW_OPTIMIZER_ADAGRAD)), 0.5f);
  EXPECT_FLOAT_EQ(AfterOne(Of(ROW_OPTIMIZER_ROWWISE_ADAGRAD)), 0.5f);
  EXPECT_FLOAT_EQ(AfterOne(Of(ROW_OPTIMIZER_ADAM)), 0.5f);
  EXPECT_LT(AfterOne(Of(ROW_OPTIMIZER_FTRL)), 1);
  RowOptimizer exact = Of(ROW_OPTIMIZER_ADAM);
  exact.set_exact(true);
  EXPECT_FLOAT_EQ(AfterOne(exact), 0.5f);
}

TEST(RowRuleFactoryTest, TakesTheSettings) {
  RowOptimizer settings = Of(ROW_OPTIMIZER_ROWWISE_ADAGRAD);
  settings.set_initial_accumulator(3);
  EXPECT_FLOAT_EQ(AfterOne(settings), 0.75f);
  settings.set_kind(ROW_OPTIMIZER_ADAGRAD);
  EXPECT_FLOAT_EQ(AfterOne(settings), 0.75f);
  settings = Of(ROW_OPTIMIZER_SGD);
  settings.set_weight_decay(1);
  EXPECT_FLOAT_EQ(AfterOne(settings), 0);
}

TEST(RowRuleFactoryTest, NamesWhatIsOutOfRange) {
  RowOptimizer settings = Of(ROW_OPTIMIZER_ADAM);
  settings.set_beta1(1);
  EXPECT_THAT(MakeRowRule(settings).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("beta1")));
  settings = Of(ROW_OPTIMIZER_ADAM);
  settings.set_exact(true);
  settings.set_weight_decay(0.1);
  EXPECT_THAT(MakeRowRule(settings).status(), StatusIs(StatusCode::kInvalidArgument, HasSubstr("weight_decay")));
  EXPECT_THAT(MakeRowRule(Of(static_cast<RowOptimizerKind>(77))).status(),
              StatusIs(StatusCode::kInvalidArgument, HasSubstr("77")));
}

}  // namespace
}  // namespace syncline
