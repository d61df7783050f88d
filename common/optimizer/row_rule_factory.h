#ifndef SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_FACTORY_H_
#define SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_FACTORY_H_

#include <memory>

#include "absl/status/statusor.h"
#include "common/optimizer/row_rule.h"
#include "proto/job.pb.h"

namespace syncline {

// The rule that a table of a manifest asks for; unset fields mean the defaults stated in proto/job.proto.
// INVALID_ARGUMENT, naming field and range, for a value out of range.
absl::StatusOr<std::unique_ptr<const RowRule>> MakeRowRule(const RowOptimizer& settings);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_ROW_RULE_FACTORY_H_
