#ifndef SYNCLINE_COMMON_CLUSTER_IDS_H_
#define SYNCLINE_COMMON_CLUSTER_IDS_H_

#include <cstdint>

namespace syncline {

// A worker's place in the cluster: the lowest free number when it joined.
using Rank = uint32_t;

// Counts how often a rank was given out. A worker that died and came back has a higher one.
using Incarnation = uint64_t;

// Steps a worker has committed; in sync, the global step.
using Clock = uint64_t;

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_IDS_H_
