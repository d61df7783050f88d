#ifndef SYNCLINE_COMMON_TENSOR_KEYS_H_
#define SYNCLINE_COMMON_TENSOR_KEYS_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Keys of rows, 8 bytes each, as an array: where they lie if that is aligned and in one piece, else copied.
// `fragments` must outlive it, and hold a whole number of them. A const object is thread-safe.
class Keys {
 public:
  explicit Keys(const Fragments& fragments) {
    const size_t count = fragments.size() / sizeof(uint64_t);
    if (count == 0) return;
    const Fragments::Piece& first = fragments.pieces()[0];
    if (fragments.pieces().size() == 1 && reinterpret_cast<uintptr_t>(first.data) % alignof(uint64_t) == 0) {
      keys_ = {reinterpret_cast<const uint64_t*>(first.data), count};
      return;
    }
    copy_.resize(count);
    FloatReader(fragments).Copy(count * sizeof(uint64_t), reinterpret_cast<char*>(copy_.data()));
    keys_ = copy_;
  }
  Keys(const Keys&) = delete;
  Keys& operator=(const Keys&) = delete;

  absl::Span<const uint64_t> get() const { return keys_; }
  size_t size() const { return keys_.size(); }

 private:
  std::vector<uint64_t> copy_;
  absl::Span<const uint64_t> keys_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TENSOR_KEYS_H_
