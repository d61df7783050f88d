#ifndef SYNCLINE_WORKER_TENSOR_SLICES_H_
#define SYNCLINE_WORKER_TENSOR_SLICES_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/cluster/layer_split.h"
#include "worker/model/parameter.h"

namespace syncline {

// Which floats of a tensor a process of a group computes with (its slice, worker/model/parameter), and which it
// pulls and pushes for all of them (its segment). Shards have whole tensors, cut into chunks that know nothing of
// slices, and a chunk is pushed by one process. Pure functions.

// Floats [begin, end) of a whole tensor.
struct TensorSegment {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t floats() const { return end - begin; }
};

// Of a tensor of `size` floats in chunks of `chunk`, its `tensor`-th: chunks as even as can be; where there are
// fewer of them than processes, tensors take turns.
inline TensorSegment SegmentOf(int64_t size, int64_t chunk, size_t tensor, int part, int parts) {
  const int64_t chunks = (size + chunk - 1) / chunk;
  const int place = chunks < parts ? static_cast<int>((part + tensor) % parts) : part;
  const PartRange range = PartOf(chunks, place, parts);
  return {std::min(range.begin * chunk, size), std::min(range.end * chunk, size)};
}

// Calls run(whole, here, floats) for each run of floats that lies both in a slice of a tensor of `size` floats and
// in a segment: where it begins in the tensor and in the slice.
template <typename Run>
void ForEachRun(const TensorSlice& slice, int64_t size, const TensorSegment& segment, const Run& run) {
  if (segment.floats() == 0) return;
  const TensorSlice of = slice.whole() ? TensorSlice{size, 0, size} : slice;
  const int64_t each = of.end - of.begin;
  for (int64_t row = segment.begin / of.period; row * of.period < segment.end; ++row) {
    const int64_t first = row * of.period + of.begin;
    const int64_t begin = std::max(first, segment.begin), end = std::min(first + each, segment.end);
    if (begin < end) run(begin, row * each + (begin - first), end - begin);
  }
}

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TENSOR_SLICES_H_
