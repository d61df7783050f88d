#ifndef SYNCLINE_SERVER_STORE_ROW_GRADIENTS_H_
#define SYNCLINE_SERVER_STORE_ROW_GRADIENTS_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "common/tensor/fragments.h"

namespace syncline {

// What one push has for the rows of a slot.
struct RowGradients {
  absl::Span<const uint64_t> keys;  // each at most once
  // [keys, dim] float32 in the order of the keys, at any byte. Decoded: a codec's blocks know no
  // rows.
  const Fragments* gradients = nullptr;
  float weight = 1;
};

// The weighted sums of several pushes, row by row. Each row is summed in the order of the pushes,
// so its bits do not depend on where in them it is.
class RowSums {
 public:
  RowSums(absl::Span<const RowGradients> pushes, size_t dim);

  // Of all pushes, each once, in the order they come in.
  absl::Span<const uint64_t> keys() const { return keys_; }
  // [keys, dim]; valid as long as this object.
  Fragments sums() const { return Fragments::Of(sums_.data(), sums_.size() * sizeof(float)); }

 private:
  void Add(const RowGradients& push);
  // Where in keys_ the key is, or will be if it is new.
  uint32_t* PlaceOf(uint64_t key);

  const size_t dim_;
  std::vector<uint32_t> places_;  // by hash: the place in keys_, or kFree
  std::vector<uint64_t> keys_;
  std::vector<float> sums_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_GRADIENTS_H_
