#include "server/store/table_format.h"

#include "common/optimizer/row_rule_factory.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

StoredAs StorageOf(const Table& table) {
  switch (table.storage()) {
    case ROW_STORAGE_FP16:
      return StoredAs::kFloat16;
    case ROW_STORAGE_BF16:
      return StoredAs::kBfloat16;
    case ROW_STORAGE_INT8:
      return StoredAs::kInt8;
    default:
      return StoredAs::kFloat32;
  }
}

}  // namespace

RowFormat FormatOf(const Table& table, const RowRule& rule) { return RowFormat(table.dim(), StorageOf(table), rule); }

absl::StatusOr<RowFormat> FormatOf(const Table& table) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto rule, MakeRowRule(table.optimizer()));
  return FormatOf(table, *rule);
}

}  // namespace syncline
