#ifndef SYNCLINE_SERVER_SHARD_HISTOGRAM_H_
#define SYNCLINE_SERVER_SHARD_HISTOGRAM_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace syncline {

// Counts of small whole numbers; those above 1023 are counted as 1023. Not thread-safe.
class Histogram {
 public:
  void Add(uint64_t value) {
    const size_t bucket = std::min<uint64_t>(value, 1023);
    if (counts_.size() <= bucket) counts_.resize(bucket + 1);
    ++counts_[bucket];
  }
  // counts()[v]: how often v was added.
  const std::vector<uint64_t>& counts() const { return counts_; }

 private:
  std::vector<uint64_t> counts_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_HISTOGRAM_H_
