#include "common/table/slot_order.h"

#include <algorithm>

#include "common/table/row_hash.h"

namespace syncline {
namespace {

// So many keys are worth a part of their own, and no more parts than this: each counts all slots.
constexpr size_t kPartKeys = size_t{128} << 10;
constexpr size_t kMostParts = 8;

}  // namespace

SlotOrder::SlotOrder(absl::Span<const uint64_t> keys, uint32_t slots, const ParallelFor& spread)
    : begins_(slots + 1), slot_of_(keys.size()) {
  const size_t parts = spread == nullptr ? 1 : std::clamp<size_t>(keys.size() / kPartKeys, 1, kMostParts);
  parts_.resize(parts);
  ForEachOf(spread, Bytes(), parts, [&](size_t p) {
    Part& part = parts_[p];
    part.first = keys.size() * p / parts;
    part.end = keys.size() * (p + 1) / parts;
    std::vector<uint32_t> counts(slots);
    for (size_t i = part.first; i < part.end; ++i) {
      const uint32_t slot = SlotOfKey(keys[i], slots);
      slot_of_[i] = static_cast<uint16_t>(slot);
      ++counts[slot];
    }
    part.begins = std::move(counts);
  });
  uint32_t at = 0;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    begins_[slot] = at;
    for (Part& part : parts_) {
      const uint32_t count = part.begins[slot];
      part.begins[slot] = at;
      at += count;
    }
  }
  begins_[slots] = at;
}

}  // namespace syncline
