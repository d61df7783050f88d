#ifndef SYNCLINE_COMMON_CLUSTER_COPY_PLACES_H_
#define SYNCLINE_COMMON_CLUSTER_COPY_PLACES_H_

#include <cstddef>
#include <cstdint>
#include <set>
#include <vector>

#include "common/cluster/shard_map.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Where the copies of a map's units are, while they are being placed. Not thread-safe.
class CopyPlaces {
 public:
  // As `map` has them, less those on shards that do not stay. `units` must outlive this.
  CopyPlaces(const ShardMap& map, const std::vector<bool>& stays, const std::vector<ChunkUnit>& units);

  // Places those that are missing: the largest first, each on the shard with the fewest bytes of copies.
  void Complete();
  // Moves copies from the shard with the most to the one with the fewest, for as long as that evens them out.
  void Even();
  void WriteTo(ShardMap* map) const;

 private:
  bool MayHave(size_t u, uint32_t shard) const;
  void Add(size_t u, uint32_t shard);
  void Remove(size_t u, uint32_t shard);

  const std::vector<ChunkUnit>& units_;
  std::vector<uint32_t> places_;                // shards that stay
  size_t wanted_ = 0;                           // copies of each, besides its owner's
  std::vector<uint32_t> owners_;                // by unit
  std::vector<uint64_t> load_;                  // bytes, by shard
  std::vector<std::set<size_t>> on_;            // units, by shard
  std::vector<std::vector<uint32_t>> backups_;  // by unit
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_COPY_PLACES_H_
