#include "common/table/row_partition.h"

#include "common/table/row_hash.h"

namespace syncline {

RowPartition::RowPartition(absl::Span<const uint64_t> keys, uint32_t slots)
    : begins_(slots + 1), keys_(keys.size()), places_(keys.size()) {
  std::vector<uint16_t> slot_of(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t slot = SlotOfKey(keys[i], slots);
    slot_of[i] = static_cast<uint16_t>(slot);
    ++begins_[slot + 1];
  }
  for (uint32_t slot = 0; slot < slots; ++slot) begins_[slot + 1] += begins_[slot];
  std::vector<uint32_t> next(begins_.begin(), begins_.end() - 1);
  for (size_t i = 0; i < keys.size(); ++i) {
    const uint32_t to = next[slot_of[i]]++;
    keys_[to] = keys[i];
    places_[to] = static_cast<uint32_t>(i);
  }
}

}  // namespace syncline
