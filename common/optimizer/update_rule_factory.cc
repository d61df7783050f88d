#include "common/optimizer/update_rule_factory.h"

#include <cmath>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/optimizer/adagrad.h"
#include "common/optimizer/adam.h"
#include "common/optimizer/ftrl.h"
#include "common/optimizer/lamb.h"
#include "common/optimizer/momentum.h"
#include "common/optimizer/rmsprop.h"
#include "common/optimizer/schedule.h"
#include "common/optimizer/sgd.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

struct Range {
  const char* field;
  bool set;
  double value;
  double low;
  double high;
};

absl::Status CheckRanges(const Optimizer& o) {
  const double most = 1e30, below_one = std::nextafter(1.0, 0.0);
  const Range ranges[] = {
      {"learning_rate", o.has_learning_rate(), o.learning_rate(), 0, most},
      {"momentum", o.has_momentum(), o.momentum(), 0, below_one},
      {"beta1", o.has_beta1(), o.beta1(), 0, below_one},
      {"beta2", o.has_beta2(), o.beta2(), 0, below_one},
      {"epsilon", o.has_epsilon(), o.epsilon(), 0, most},
      {"alpha", o.has_alpha(), o.alpha(), 0, 1},
      {"ftrl_learning_rate_power", o.has_ftrl_learning_rate_power(), o.ftrl_learning_rate_power(),
       -most, 0},
      {"ftrl_l1", o.has_ftrl_l1(), o.ftrl_l1(), 0, most},
      {"ftrl_l2", o.has_ftrl_l2(), o.ftrl_l2(), 0, most},
      {"ftrl_beta", o.has_ftrl_beta(), o.ftrl_beta(), 0, most},
      {"weight_decay", o.has_weight_decay(), o.weight_decay(), 0, most},
      {"clip_value", o.has_clip_value(), o.clip_value(), 0, most},
      {"clip_norm", o.has_clip_norm(), o.clip_norm(), 0, most},
      {"initial_accumulator", o.has_initial_accumulator(), o.initial_accumulator(), 0, most},
  };
  for (const Range& r : ranges) {
    if (!r.set || (r.value >= r.low && r.value <= r.high)) continue;
    return absl::InvalidArgumentError(absl::StrCat("optimizer.", r.field, " is ", r.value,
                                                   ": it must be from ", r.low, " to ", r.high));
  }
  return absl::OkStatus();
}

double Or(bool set, double value, double otherwise) { return set ? value : otherwise; }

std::unique_ptr<const UpdateRule> MakeAdam(const Optimizer& o, bool decoupled) {
  Adam::Settings s;
  s.beta1 = Or(o.has_beta1(), o.beta1(), s.beta1);
  s.beta2 = Or(o.has_beta2(), o.beta2(), s.beta2);
  s.epsilon = Or(o.has_epsilon(), o.epsilon(), s.epsilon);
  s.weight_decay = o.weight_decay();
  s.decoupled = decoupled;
  return std::make_unique<Adam>(s);
}

std::unique_ptr<const UpdateRule> MakeLamb(const Optimizer& o) {
  Lamb::Settings s;
  s.beta1 = Or(o.has_beta1(), o.beta1(), s.beta1);
  s.beta2 = Or(o.has_beta2(), o.beta2(), s.beta2);
  s.epsilon = Or(o.has_epsilon(), o.epsilon(), s.epsilon);
  s.weight_decay = o.weight_decay();
  return std::make_unique<Lamb>(s);
}

std::unique_ptr<const UpdateRule> MakeRmsProp(const Optimizer& o) {
  RmsProp::Settings s;
  s.alpha = Or(o.has_alpha(), o.alpha(), s.alpha);
  s.epsilon = Or(o.has_epsilon(), o.epsilon(), s.epsilon);
  s.momentum = o.momentum();
  s.weight_decay = o.weight_decay();
  return std::make_unique<RmsProp>(s);
}

std::unique_ptr<const UpdateRule> MakeFtrl(const Optimizer& o) {
  Ftrl::Settings s;
  s.learning_rate_power =
      Or(o.has_ftrl_learning_rate_power(), o.ftrl_learning_rate_power(), s.learning_rate_power);
  s.l1 = o.ftrl_l1();
  s.l2 = o.ftrl_l2();
  s.beta = o.ftrl_beta();
  s.initial_accumulator = o.initial_accumulator();
  s.weight_decay = o.weight_decay();
  return std::make_unique<Ftrl>(s);
}

}  // namespace

absl::StatusOr<std::unique_ptr<const UpdateRule>> MakeUpdateRule(const Optimizer& settings) {
  SYNCLINE_RETURN_IF_ERROR(CheckRanges(settings));
  SYNCLINE_RETURN_IF_ERROR(ValidateSchedule(settings.schedule()));
  const float decay = settings.weight_decay();
  const double momentum = Or(settings.has_momentum(), settings.momentum(), 0.9);
  const double adagrad_epsilon = Or(settings.has_epsilon(), settings.epsilon(), 1e-10);
  switch (settings.kind()) {
    case OPTIMIZER_KIND_UNSPECIFIED:
    case SGD:
      return std::make_unique<Sgd>(decay);
    case MOMENTUM:
      return std::make_unique<Momentum>(momentum, false, decay);
    case NESTEROV:
      return std::make_unique<Momentum>(momentum, true, decay);
    case ADAGRAD:
      return std::make_unique<Adagrad>(adagrad_epsilon, settings.initial_accumulator(), decay);
    case RMSPROP:
      return MakeRmsProp(settings);
    case ADAM:
      return MakeAdam(settings, false);
    case ADAMW:
      return MakeAdam(settings, true);
    case LAMB:
      return MakeLamb(settings);
    case FTRL:
      return MakeFtrl(settings);
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "optimizer.kind is ", settings.kind(),
          ": it must be sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, lamb or ftrl"));
  }
}

double BaseLearningRate(const Optimizer& settings) {
  return Or(settings.has_learning_rate(), settings.learning_rate(), 0.01);
}

}  // namespace syncline
