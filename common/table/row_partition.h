#ifndef SYNCLINE_COMMON_TABLE_ROW_PARTITION_H_
#define SYNCLINE_COMMON_TABLE_ROW_PARTITION_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// Keys of a table, sorted by slot (row_hash.h); those of a slot stay in the order they came in.
// Worker and shard cut a batch into slots with it. A slot's own search works the keys' hashes out
// again: that is two multiplications, less than it takes to keep them.
//
// Constant once made, hence thread-safe.
class RowPartition {
 public:
  // `slots` is 1 to 65536. At most 2^32 keys.
  RowPartition(absl::Span<const uint64_t> keys, uint32_t slots);

  uint32_t slots() const { return static_cast<uint32_t>(begins_.size() - 1); }
  // Where a slot's keys begin among all: begin(slots()) is the number of keys.
  size_t begin(uint32_t slot) const { return begins_[slot]; }

  // All keys by slot, or those of one.
  absl::Span<const uint64_t> keys() const { return keys_; }
  absl::Span<const uint64_t> keys(uint32_t slot) const { return Part(keys_, slot); }
  // Of each of these, where it was in what was given.
  absl::Span<const uint32_t> places() const { return places_; }
  absl::Span<const uint32_t> places(uint32_t slot) const { return Part(places_, slot); }

 private:
  template <typename T>
  absl::Span<const T> Part(const std::vector<T>& all, uint32_t slot) const {
    return absl::MakeConstSpan(all).subspan(begins_[slot], begins_[slot + 1] - begins_[slot]);
  }

  std::vector<uint32_t> begins_;
  std::vector<uint64_t> keys_;
  std::vector<uint32_t> places_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TABLE_ROW_PARTITION_H_
