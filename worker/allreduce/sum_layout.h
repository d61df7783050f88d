#ifndef SYNCLINE_WORKER_ALLREDUCE_SUM_LAYOUT_H_
#define SYNCLINE_WORKER_ALLREDUCE_SUM_LAYOUT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/types/span.h"
#include "worker/client/client.h"

namespace syncline {

// Who sums what of a model's gradients, and when. Pure.

// Tensors whose gradients are summed together.
struct SumBucket {
  size_t begin = 0;
  size_t end = 0;
  // Chunks of these tensors, by the process that sums them.
  std::vector<std::vector<uint32_t>> shares;
};

// Buckets from the last tensor to the first, as backward makes their gradients, each of at least 256 KiB if there is as
// much. In each of them, and so at any time, those of the processes that are `owners` have about as many floats to sum.
std::vector<SumBucket> CutBuckets(absl::Span<const Client::Chunk> chunks, absl::Span<const size_t> owners,
                                  size_t processes);

// All chunks of a process, ascending.
std::vector<uint32_t> ShareOf(const std::vector<SumBucket>& buckets, size_t process);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_SUM_LAYOUT_H_
