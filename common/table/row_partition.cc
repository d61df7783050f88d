#include "common/table/row_partition.h"

#include "common/table/slot_order.h"

namespace syncline {

RowPartition::RowPartition(absl::Span<const uint64_t> keys, uint32_t slots)
    : begins_(slots + 1), keys_(keys.size()), places_(keys.size()) {
  const SlotOrder order(keys, slots);
  for (uint32_t slot = 0; slot <= slots; ++slot) begins_[slot] = static_cast<uint32_t>(order.begin(slot));
  order.Arrange(nullptr, [&](size_t i, uint32_t to) {
    keys_[to] = keys[i];
    places_[to] = static_cast<uint32_t>(i);
  });
}

}  // namespace syncline
