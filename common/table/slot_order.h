#ifndef SYNCLINE_COMMON_TABLE_SLOT_ORDER_H_
#define SYNCLINE_COMMON_TABLE_SLOT_ORDER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/threads/parallel_for.h"

namespace syncline {

// Where each of a batch's keys goes when they are put in the order of their slots (row_hash.h); those of a slot stay in
// the order they came in, however many threads put them there.
//
// Constant once made, hence thread-safe.
class SlotOrder {
 public:
  // `slots` is 1 to 65536. At most 2^32 keys. Many are spread over threads by `spread`, which may be null.
  SlotOrder(absl::Span<const uint64_t> keys, uint32_t slots, const ParallelFor& spread = nullptr);

  uint32_t slots() const { return static_cast<uint32_t>(begins_.size() - 1); }
  // Where a slot's keys begin: begin(slots()) is the number of keys.
  size_t begin(uint32_t slot) const { return begins_[slot]; }

  // Calls put(i, to) for every key: the i-th given goes to place `to`. Many are spread over threads by `spread`, as
  // when this was made.
  template <typename Put>
  void Arrange(const ParallelFor& spread, const Put& put) const {
    ForEachOf(spread, Bytes(), parts_.size(), [&](size_t p) {
      const Part& part = parts_[p];
      std::vector<uint32_t> next = part.begins;
      for (size_t i = part.first; i < part.end; ++i) put(i, next[slot_of_[i]]++);
    });
  }

 private:
  // Keys [first, end), of which those of a slot go to begins[slot] and on.
  struct Part {
    size_t first = 0;
    size_t end = 0;
    std::vector<uint32_t> begins;
  };
  size_t Bytes() const { return slot_of_.size() * (sizeof(uint64_t) + sizeof(uint32_t)); }

  std::vector<uint32_t> begins_;
  std::vector<uint16_t> slot_of_;
  std::vector<Part> parts_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TABLE_SLOT_ORDER_H_
