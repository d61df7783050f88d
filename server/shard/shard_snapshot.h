#ifndef SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_
#define SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_

#include <cstdint>
#include <vector>

#include "common/cluster/ids.h"
#include "common/tensor/fragments.h"

namespace syncline {

// What a chunk remembers of a rank's pushes: those of `incarnation` below clock `next` are applied.
struct AppliedPushes {
  Rank rank = 0;
  Incarnation incarnation = 0;
  Clock next = 0;
};

// One chunk between two updates. The bytes are float32 and shared with the shard copy-on-write:
// they never change, and live as long as a copy of the Fragments does.
struct ChunkSnapshot {
  uint32_t chunk = 0;
  uint64_t version = 0;
  Fragments weights;
  // The optimizer's slots, in its own order, each as long as the weights.
  std::vector<Fragments> state;
  std::vector<AppliedPushes> applied;
};

// A shard, or in Restore any set of chunks that covers the shard's own.
struct ShardSnapshot {
  // sync: steps applied. Otherwise the lowest live clock.
  uint64_t step = 0;
  std::vector<ChunkSnapshot> chunks;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_
