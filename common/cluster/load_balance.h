#ifndef SYNCLINE_COMMON_CLUSTER_LOAD_BALANCE_H_
#define SYNCLINE_COMMON_CLUSTER_LOAD_BALANCE_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace syncline {

// Pure: what changes its owner so that no shard has much more to do than another.

// What moves as one: a chunk, a slot of a table, or a tensor that is kept whole.
struct LoadedUnit {
  uint32_t owner = 0;
  uint64_t bytes = 0;  // of weights: what shards are balanced by (common/cluster/rebalance)
  uint64_t cost = 0;   // bytes that travel when it moves
  double load = 0;     // bytes a second that pulls and pushes move of it
};

struct LoadGoal {
  // Nothing moves off a shard whose load is at most so many times the mean.
  double even = 1.1;
  // No shard gets more than so many times the mean of the weights, or half a unit above that.
  double full = 1.1;
  // Of all that moves. One move is made all the same.
  uint64_t most_bytes = std::numeric_limits<uint64_t>::max();
};

struct UnitMove {
  size_t unit = 0;
  uint32_t to = 0;
};
inline bool operator==(const UnitMove& a, const UnitMove& b) { return a.unit == b.unit && a.to == b.to; }

// Takes from the busiest shard for as long as that makes the busiest one less busy: what brings it to the goal with the
// fewest bytes, or else relieves it most for the bytes. Where the other shard would get too full, something cold
// of its own comes back in exchange. No unit moves twice. The same input always gives the same moves. `base`: by shard,
// load that is not of its own units.
std::vector<UnitMove> PlanLoadMoves(const std::vector<LoadedUnit>& units, const std::vector<double>& base,
                                    const LoadGoal& goal);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_LOAD_BALANCE_H_
