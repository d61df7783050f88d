#ifndef SYNCLINE_WORKER_DATA_PERMUTATION_H_
#define SYNCLINE_WORKER_DATA_PERMUTATION_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// The order in which an epoch visits the samples: position p of the epoch is sample
// EpochPermutation(...)[p]. A Fisher-Yates shuffle from (seed, epoch), the same on every worker, so
// that leases can name positions.
// With a `buffer` below `samples` (data.shuffle_buffer) it is made of blocks of samples that follow each other: the
// blocks are shuffled, and then the samples of each kBlocksTogether of them, at most `buffer`. So who goes through an
// epoch looks at few places of the data at a time. 0: no limit.
std::vector<uint32_t> EpochPermutation(uint32_t samples, uint64_t seed, uint64_t epoch, uint32_t buffer = 0);
constexpr uint32_t kBlocksTogether = 32;

// Looks positions up, keeping the permutations of the last two epochs asked for: in the looser sync
// modes leases of neighbouring epochs mix. Not thread-safe.
class EpochOrder {
 public:
  EpochOrder(uint32_t samples, uint64_t seed, uint32_t buffer = 0) : samples_(samples), seed_(seed), buffer_(buffer) {}

  // The samples at positions [begin, begin + count) of an epoch, cut where the epoch ends. Valid
  // until two other epochs have been asked for.
  absl::Span<const uint32_t> Samples(uint64_t epoch, uint64_t begin, uint64_t count);

 private:
  struct Epoch {
    bool made = false;
    uint64_t number = 0;
    std::vector<uint32_t> order = {};
  };

  const uint32_t samples_;
  const uint64_t seed_;
  const uint32_t buffer_;
  Epoch latest_;
  Epoch previous_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_PERMUTATION_H_
