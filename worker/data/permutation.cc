#include "worker/data/permutation.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "worker/data/random.h"

namespace syncline {

std::vector<uint32_t> EpochPermutation(uint32_t samples, uint64_t seed, uint64_t epoch) {
  std::vector<uint32_t> order(samples);
  std::iota(order.begin(), order.end(), 0u);
  SplitMix64 random = RandomStream(seed, epoch);
  for (uint32_t i = samples; i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

absl::Span<const uint32_t> EpochOrder::Samples(uint64_t epoch, uint64_t begin, uint64_t count) {
  if (!latest_.made || latest_.number != epoch) {
    std::swap(latest_, previous_);
    if (!latest_.made || latest_.number != epoch) {
      latest_ = {true, epoch, EpochPermutation(samples_, seed_, epoch)};
    }
  }
  begin = std::min<uint64_t>(begin, samples_);
  count = std::min<uint64_t>(count, samples_ - begin);
  return {latest_.order.data() + begin, static_cast<size_t>(count)};
}

}  // namespace syncline
