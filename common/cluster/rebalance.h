#ifndef SYNCLINE_COMMON_CLUSTER_REBALANCE_H_
#define SYNCLINE_COMMON_CLUSTER_REBALANCE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Pure functions over the proto ShardMap: how chunks and their copies get from the shards that have them to
// those that are to have them.

struct RebalanceOptions {
  // LAMB: a tensor's chunks stay together.
  bool keep_tensors_whole = false;
  // Weights that move from one map to the next; at least a chunk (or tensor, if kept whole) does.
  uint64_t batch_bytes = uint64_t{32} << 20;
  // While the shards stay the same, one that has up to so many times the mean of the weights keeps them: chunks lie by
  // their load as well.
  double full = 1;
};

// The maps to go through, one after the other, from `map` to one over the shards at `addresses`, with as
// many copies as `map.replicas()` says and the shards allow; none if that is what it is. Each has the epoch
// after the one before. Chunks move only off shards that go or that have more than their share, so no
// fewer bytes could balance them; the largest shard ends with at most half a chunk more than the mean.
// Copies move where they must and where that evens them out. New shards are in the first of the maps,
// those that go are in all but the last. The same input always gives the same maps. `addresses` is not
// empty.
std::vector<ShardMap> PlanRebalance(const ShardMap& map, absl::Span<const std::string> addresses,
                                    const RebalanceOptions& options);

// The same to a map with these owners, by chunk, over the same shards. All chunks of a unit have one owner.
std::vector<ShardMap> PlanOwners(const ShardMap& map, const std::vector<uint32_t>& owners,
                                 const RebalanceOptions& options);

// Gives each chunk its copies, for a map that no shard goes by yet.
void PlaceCopies(bool keep_tensors_whole, ShardMap* map);

// Bytes of weights whose owner's address differs, and of copies at addresses that had none.
uint64_t MovedBytes(const ShardMap& from, const ShardMap& to);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_REBALANCE_H_
