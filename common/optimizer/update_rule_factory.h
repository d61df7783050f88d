#ifndef SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_FACTORY_H_
#define SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_FACTORY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/optimizer/update_rule.h"
#include "proto/job.pb.h"

namespace syncline {

// The rule a manifest asks for; unset fields mean the defaults stated in proto/job.proto.
// INVALID_ARGUMENT, naming field and range, for a value out of range anywhere in the message,
// schedule and clipping included.
//
// The name says more than `Optimizer` because the manifest's message has that name too: the schema
// is syncline.Optimizer, the rule syncline::UpdateRule.
absl::StatusOr<std::unique_ptr<const UpdateRule>> MakeUpdateRule(const Optimizer& settings);

// The manifest's learning rate or its default.
double BaseLearningRate(const Optimizer& settings);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_UPDATE_RULE_FACTORY_H_
