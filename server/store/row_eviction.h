#ifndef SYNCLINE_SERVER_STORE_ROW_EVICTION_H_
#define SYNCLINE_SERVER_STORE_ROW_EVICTION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "server/store/row_slot.h"

namespace syncline {

// Which rows of a slot give way when there are more than `capacity`.
enum class EvictionOrder {
  kOldest,     // last touched the most updates ago
  kLeastUsed,  // touched by the fewest updates
  kSmallest,   // the least Euclidean norm of the weights
};

// Which rows of a slot are erased. 0 turns a rule off.
struct EvictionPolicy {
  // Those that the last max_age updates of the slot did not touch; below 2^32.
  uint64_t max_age = 0;
  // Those whose weights have a norm below this.
  double min_norm = 0;
  // If there are more rows than this: so many, first by `order`, that an eighth of it is free.
  size_t capacity = 0;
  EvictionOrder order = EvictionOrder::kOldest;
  // Those that nobody pushed for so long: by UpdateTimes and RowsUntouchedSince, as RowsToEvict knows no time.
  double max_age_seconds = 0;
};

// The keys of the rows to erase now (RowSlot::Erase), but for their age in seconds, for whoever also has to tell others: a
// function of the slot's rows, in whatever order they lie, and its version. Rows that are equal in
// the order go by key. Goes over all rows, unless `capacity` is the only rule and is kept; of cold ones,
// unless there are more than `capacity`, over pages that have some old enough or, for their norm, touched
// after update `judged`: the others' norms were looked at before. An error: cold rows could not be read.
absl::StatusOr<std::vector<uint64_t>> RowsToEvict(const RowSlot& slot, const EvictionPolicy& policy, uint64_t judged = 0);

// The keys of the rows that no update after this one touched, ascending. Goes over all rows but those on cold pages with
// later ones alone. Errors as RowsToEvict.
absl::StatusOr<std::vector<uint64_t>> RowsUntouchedSince(const RowSlot& slot, uint64_t update);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_EVICTION_H_
