#include "worker/data/permutation.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "worker/data/random.h"

namespace syncline {

namespace {

void Shuffle(uint32_t* order, uint32_t count, SplitMix64* random) {
  for (uint32_t i = count; i > 1; --i) std::swap(order[i - 1], order[random->Below(i)]);
}

std::vector<uint32_t> Ascending(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  std::iota(numbers.begin(), numbers.end(), 0u);
  return numbers;
}

}  // namespace

std::vector<uint32_t> EpochPermutation(uint32_t samples, uint64_t seed, uint64_t epoch, uint32_t buffer) {
  SplitMix64 random = RandomStream(seed, epoch);
  if (buffer == 0 || buffer >= samples) {
    std::vector<uint32_t> order = Ascending(samples);
    Shuffle(order.data(), samples, &random);
    return order;
  }
  const uint32_t block = std::max(buffer / kBlocksTogether, 1u), together = std::min(buffer, kBlocksTogether);
  std::vector<uint32_t> blocks = Ascending((samples - 1) / block + 1);
  Shuffle(blocks.data(), static_cast<uint32_t>(blocks.size()), &random);
  std::vector<uint32_t> order;
  order.reserve(samples);
  for (size_t b = 0; b < blocks.size(); b += together) {
    const size_t begin = order.size();
    for (size_t i = b; i < std::min<size_t>(b + together, blocks.size()); ++i) {
      const uint32_t first = blocks[i] * block, count = std::min(block, samples - first);
      for (uint32_t sample = first; sample < first + count; ++sample) order.push_back(sample);
    }
    Shuffle(&order[begin], static_cast<uint32_t>(order.size() - begin), &random);
  }
  return order;
}

absl::Span<const uint32_t> EpochOrder::Samples(uint64_t epoch, uint64_t begin, uint64_t count) {
  if (!latest_.made || latest_.number != epoch) {
    std::swap(latest_, previous_);
    if (!latest_.made || latest_.number != epoch) {
      latest_ = {true, epoch, EpochPermutation(samples_, seed_, epoch, buffer_)};
    }
  }
  begin = std::min<uint64_t>(begin, samples_);
  count = std::min<uint64_t>(count, samples_ - begin);
  return {latest_.order.data() + begin, static_cast<size_t>(count)};
}

}  // namespace syncline
