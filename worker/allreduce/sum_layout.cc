#include "worker/allreduce/sum_layout.h"

#include <algorithm>

namespace syncline {
namespace {

constexpr size_t kBucketFloats = size_t{1} << 16;

}  // namespace

std::vector<SumBucket> CutBuckets(absl::Span<const Client::Chunk> chunks, absl::Span<const size_t> owners,
                                  size_t processes) {
  std::vector<SumBucket> buckets;
  std::vector<size_t> load(owners.size());
  size_t floats = 0;
  for (size_t end = chunks.size(); end > 0;) {
    // The chunks of a tensor follow one another.
    const size_t tensor = chunks[end - 1].tensor;
    size_t begin = end;
    while (begin > 0 && chunks[begin - 1].tensor == tensor) --begin;
    if (buckets.empty() || floats >= kBucketFloats) {
      buckets.push_back({tensor, tensor + 1, std::vector<std::vector<uint32_t>>(processes)});
      floats = 0;
    }
    SumBucket& bucket = buckets.back();
    bucket.begin = tensor;
    for (size_t c = begin; c < end; ++c) {
      const size_t least = std::min_element(load.begin(), load.end()) - load.begin();
      bucket.shares[owners[least]].push_back(static_cast<uint32_t>(c));
      load[least] += chunks[c].elements;
      floats += chunks[c].elements;
    }
    end = begin;
  }
  for (SumBucket& bucket : buckets) {
    for (auto& share : bucket.shares) std::sort(share.begin(), share.end());
  }
  return buckets;
}

std::vector<uint32_t> ShareOf(const std::vector<SumBucket>& buckets, size_t process) {
  std::vector<uint32_t> all;
  for (const SumBucket& bucket : buckets) {
    all.insert(all.end(), bucket.shares[process].begin(), bucket.shares[process].end());
  }
  std::sort(all.begin(), all.end());
  return all;
}

}  // namespace syncline
