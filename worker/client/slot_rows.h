#ifndef SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_
#define SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/table/row_partition.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Some rows of a table, put in the order of the table's slots, in which messages carry them. Once made it does not change
// (but see Scatter), hence it may be read from any thread; Fragments it gives share its ownership.
class SlotRows : public std::enable_shared_from_this<SlotRows> {
 public:
  // To pull `keys`, none twice, to `to` [keys, dim], which must stay until all of it has come.
  static std::shared_ptr<SlotRows> ToPull(uint32_t slots, size_t dim, absl::Span<const uint64_t> keys, float* to);
  // To push the gradients [keys, dim] of `keys`, none twice. Both are copied.
  static std::shared_ptr<const SlotRows> ToPush(uint32_t slots, size_t dim, absl::Span<const uint64_t> keys,
                                                const float* gradients);

  // Rows of a slot.
  size_t count(uint32_t slot) const { return keys_.keys(slot).size(); }
  // 8 bytes each, little-endian.
  Fragments Keys(uint32_t slot) const;
  // Float32 [count(slot), dim].
  Fragments Gradients(uint32_t slot) const;
  // Puts the rows of a slot, float32 [count(slot), dim], to their places. Slots may come on several threads.
  // INTERNAL if their size is another.
  absl::Status Scatter(uint32_t slot, const Fragments& rows) const;

 private:
  SlotRows(uint32_t slots, size_t dim, absl::Span<const uint64_t> keys) : dim_(dim), keys_(keys, slots) {}

  const size_t dim_;
  const RowPartition keys_;
  std::vector<float> gradients_;  // [keys, dim], by slot
  float* to_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_
