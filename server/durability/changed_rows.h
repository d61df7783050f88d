#ifndef SYNCLINE_SERVER_DURABILITY_CHANGED_ROWS_H_
#define SYNCLINE_SERVER_DURABILITY_CHANGED_ROWS_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "server/shard/shard_snapshot.h"
#include "server/store/row_format.h"
#include "server/store/row_stream.h"

namespace syncline {

// Calls visit(row), which returns a Status, for each row of a table's slot that updates after number `since` touched, in
// the same order each time. Reads those on disk. Stops at the first error.
template <typename Visit>
absl::Status ForEachChangedRow(const ChunkSnapshot& slot, size_t stride, uint64_t since, const Visit& visit) {
  const auto if_changed = [&](const char* row) {
    return RowFormat::ChangedAfter(since, row) ? visit(row) : absl::OkStatus();
  };
  const absl::Status status = ForEachRow(slot.weights, stride, if_changed);
  return status.ok() && slot.cold != nullptr ? slot.cold->TouchedAfter(since, if_changed) : status;
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHANGED_ROWS_H_
