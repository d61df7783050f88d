#ifndef SYNCLINE_COMMON_CLUSTER_TABLES_H_
#define SYNCLINE_COMMON_CLUSTER_TABLES_H_

#include <cstdint>
#include <string>

#include "proto/parameter_server.pb.h"

namespace syncline {

// A table's keys fall into slots by their hash (common/table/row_hash).
constexpr uint32_t kMaxTableSlots = 65536;
// Floats of a row.
constexpr uint32_t kMaxRowElements = 65536;

// Whether a tensor is a table of rows.
inline bool IsTable(const TensorSpec& tensor) { return tensor.has_table(); }

// What keeps rows that were stored as those of table `was` from being those of `is`, as in "dim is 5, and was 4"; empty:
// nothing. Learning rates and the like may be others.
std::string Difference(const Table& was, const Table& is);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_TABLES_H_
