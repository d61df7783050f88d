#include "common/optimizer/row_rule_factory.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/optimizer/elementwise_rows.h"
#include "common/optimizer/exact_adam.h"
#include "common/optimizer/row_wise_adagrad.h"
#include "common/optimizer/update_rule_factory.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// As for a dense tensor: fields of the two messages that have one name mean the same.
Optimizer Dense(const RowOptimizer& settings, OptimizerKind kind) {
  Optimizer dense;
  dense.set_kind(kind);
  if (settings.has_learning_rate()) dense.set_learning_rate(settings.learning_rate());
  if (settings.has_epsilon()) dense.set_epsilon(settings.epsilon());
  if (settings.has_beta1()) dense.set_beta1(settings.beta1());
  if (settings.has_beta2()) dense.set_beta2(settings.beta2());
  if (settings.has_initial_accumulator()) dense.set_initial_accumulator(settings.initial_accumulator());
  if (settings.has_ftrl_l1()) dense.set_ftrl_l1(settings.ftrl_l1());
  if (settings.has_ftrl_l2()) dense.set_ftrl_l2(settings.ftrl_l2());
  if (settings.has_ftrl_beta()) dense.set_ftrl_beta(settings.ftrl_beta());
  if (settings.has_weight_decay()) dense.set_weight_decay(settings.weight_decay());
  return dense;
}

absl::StatusOr<std::unique_ptr<const RowRule>> Elementwise(const RowOptimizer& settings, OptimizerKind kind) {
  SYNCLINE_ASSIGN_OR_RETURN(auto rule, MakeUpdateRule(Dense(settings, kind)));
  return std::make_unique<ElementwiseRows>(std::move(rule));
}

absl::StatusOr<std::unique_ptr<const RowRule>> MakeExactAdam(const RowOptimizer& settings) {
  if (settings.weight_decay() != 0) {
    return absl::InvalidArgumentError(absl::StrCat("optimizer.weight_decay is ", settings.weight_decay(),
                                                   ": with exact it must be 0, or every row would change at every step"));
  }
  SYNCLINE_RETURN_IF_ERROR(MakeUpdateRule(Dense(settings, ADAM)).status());
  ExactAdam::Settings adam;
  if (settings.has_beta1()) adam.beta1 = settings.beta1();
  if (settings.has_beta2()) adam.beta2 = settings.beta2();
  if (settings.has_epsilon()) adam.epsilon = settings.epsilon();
  return std::make_unique<ExactAdam>(adam);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const RowRule>> MakeRowRule(const RowOptimizer& settings) {
  switch (settings.kind()) {
    case ROW_OPTIMIZER_SGD:
      return Elementwise(settings, SGD);
    case ROW_OPTIMIZER_UNSPECIFIED:
    case ROW_OPTIMIZER_ADAGRAD:
      return Elementwise(settings, ADAGRAD);
    case ROW_OPTIMIZER_ROWWISE_ADAGRAD: {
      SYNCLINE_RETURN_IF_ERROR(MakeUpdateRule(Dense(settings, ADAGRAD)).status());
      const double epsilon = settings.has_epsilon() ? settings.epsilon() : 1e-10;
      return std::make_unique<RowWiseAdagrad>(static_cast<float>(epsilon),
                                              static_cast<float>(settings.initial_accumulator()),
                                              static_cast<float>(settings.weight_decay()));
    }
    case ROW_OPTIMIZER_ADAM:
      return settings.exact() ? MakeExactAdam(settings) : Elementwise(settings, ADAM);
    case ROW_OPTIMIZER_FTRL:
      return Elementwise(settings, FTRL);
    default:
      return absl::InvalidArgumentError(
          absl::StrCat("optimizer.kind of a table is ", settings.kind(),
                       ": it must be sgd, adagrad, rowwise_adagrad, adam or ftrl"));
  }
}

}  // namespace syncline
