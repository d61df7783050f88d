#ifndef SYNCLINE_COMMON_CLUSTER_SHARD_MAP_H_
#define SYNCLINE_COMMON_CLUSTER_SHARD_MAP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Pure functions over the proto ShardMap: which elements of which tensor lie on which shard.
//
// Tensors are cut in the order given into chunks of `chunk_bytes` (the last of a tensor may be
// shorter), and chunk ids count from 0 through all of them. So the cut depends on the tensors and
// `chunk_bytes` alone, never on the number of shards; only the owners do.

// A table has a chunk for each of its slots: the rows whose keys fall into it (common/cluster/tables). How many those
// will be nobody knows, so each counts as a whole chunk.

// Elements [begin, begin + elements) of tensor `tensor`, row-major; of a table, slot `begin`.
struct ChunkInfo {
  uint32_t id = 0;
  uint32_t tensor = 0;
  uint64_t begin = 0;
  uint64_t elements = 0;
  bool rows = false;
};

// Elements of a dense tensor: the product of its shape; 1 for a scalar (an empty shape).
uint64_t ElementCount(const TensorSpec& tensor);

// Names are unique, not empty and at most 255 bytes; sizes are positive and fit in 2^40 elements, a table's those that
// a manifest may say (common/config/table_rules); an initializer's numbers are finite. INVALID_ARGUMENT names the tensor.
absl::Status ValidateTensors(absl::Span<const TensorSpec> tensors);

// All chunks of the map, by id.
std::vector<ChunkInfo> Chunks(const ShardMap& map);

// What is assigned as one: a chunk, or all chunks of a tensor.
struct ChunkUnit {
  uint32_t first = 0;
  uint32_t count = 0;
  uint64_t elements = 0;
};
std::vector<ChunkUnit> ChunkUnits(const std::vector<ChunkInfo>& chunks, bool keep_tensors_whole);

// Whether the shard at `address` has a place in the map.
bool HasShard(const ShardMap& map, const std::string& address);

// Addresses of shards of `map` that have no place in `next`.
std::vector<std::string> ShardsWithout(const ShardMap& map, const ShardMap& next);

// The map without the shards that do not stay, by their places; they own nothing.
ShardMap OnlyShards(const ShardMap& map, const std::vector<bool>& stays);

// The ids of the chunks that `shard` owns, ascending.
std::vector<uint32_t> OwnedChunks(const ShardMap& map, uint32_t shard);

// How many entries of `map.backup` each chunk has.
int BackupsEach(const ShardMap& map);
// The shards that keep copies of a chunk, none twice.
std::vector<uint32_t> Backups(const ShardMap& map, uint32_t chunk);
// Whether `shard` keeps a copy of a chunk that is another's.
bool IsBackup(const ShardMap& map, uint32_t chunk, uint32_t shard);
// The ids of the chunks that `shard` owns or keeps a copy of, ascending.
std::vector<uint32_t> HeldChunks(const ShardMap& map, uint32_t shard);

// A map of `tensors` over the shards at `addresses`, balanced by bytes: the largest chunk first, each to
// the shard with the least so far, ties to the lower number, so that the same input always gives the same
// map. With `keep_tensors_whole` (LAMB) a tensor's chunks stay together. No copies are kept by it:
// common/cluster/rebalance says where those go.
// INVALID_ARGUMENT where the tensors are not valid, there is no shard, or `chunk_bytes` is no
// positive multiple of 4 KiB.
absl::StatusOr<ShardMap> MakeShardMap(absl::Span<const TensorSpec> tensors,
                                      absl::Span<const std::string> addresses,
                                      uint64_t chunk_bytes, bool keep_tensors_whole,
                                      uint64_t epoch = 1);

// A map from a peer or a file: sizes fit together and every owner is one of the shards.
absl::Status ValidateShardMap(const ShardMap& map);

// Bytes of weights on each shard.
std::vector<uint64_t> ShardBytes(const ShardMap& map);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CLUSTER_SHARD_MAP_H_
