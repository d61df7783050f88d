#ifndef SYNCLINE_COMMON_CLUSTER_LIFE_H_
#define SYNCLINE_COMMON_CLUSTER_LIFE_H_

#include <cstdint>

#include "absl/random/random.h"

namespace syncline {

// A random number, never 0, that no other process or shard has, were it started in the same place: what is said of one
// is not taken for said of the next.
inline uint64_t NewLife() {
  absl::BitGen random;
  return absl::Uniform<uint64_t>(absl::IntervalClosed, random, 1, ~uint64_t{0});
}

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_LIFE_H_
