#ifndef SYNCLINE_SERVER_STORE_TABLE_FORMAT_H_
#define SYNCLINE_SERVER_STORE_TABLE_FORMAT_H_

#include "absl/status/statusor.h"
#include "common/optimizer/row_rule.h"
#include "proto/job.pb.h"
#include "server/store/row_format.h"

namespace syncline {

// How the rows of a table lie, in memory as in checkpoints. `rule` is the table's (common/optimizer/row_rule_factory).
RowFormat FormatOf(const Table& table, const RowRule& rule);
// The same for whoever only reads rows. INVALID_ARGUMENT for an optimizer out of range, naming the field.
absl::StatusOr<RowFormat> FormatOf(const Table& table);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_TABLE_FORMAT_H_
