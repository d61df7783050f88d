#ifndef SYNCLINE_WORKER_CLIENT_ROUTER_H_
#define SYNCLINE_WORKER_CLIENT_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "common/cluster/shard_map.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Which chunks go together in a message, and to which shard. Pure; immutable once made.
class Router {
 public:
  // Chunks of one shard, ascending, of at most `message_bytes` together (or a single chunk).
  struct Group {
    uint32_t shard = 0;
    std::vector<uint32_t> chunks;
  };

  Router(const ShardMap& map, size_t message_bytes);

  // By chunk id.
  const std::vector<ChunkInfo>& chunks() const { return chunks_; }
  size_t tensors() const { return pushes_.size(); }
  size_t shards() const { return shards_; }
  uint64_t map_epoch() const { return map_epoch_; }
  // How many chunks a tensor has.
  size_t tensor_chunks(size_t tensor) const { return tensor_chunks_[tensor]; }

  // All chunks, those of the first tensors first: what a pull asks for. At least one of each shard,
  // empty where it has no chunks.
  const std::vector<Group>& pulls() const { return pulls_; }
  // A tensor's chunks: what a push of it sends.
  const std::vector<Group>& pushes(size_t tensor) const { return pushes_[tensor]; }

 private:
  std::vector<Group> MakeGroups(const ShardMap& map, size_t begin, size_t end,
                                size_t message_bytes) const;

  const std::vector<ChunkInfo> chunks_;
  const size_t shards_;
  const uint64_t map_epoch_;
  std::vector<size_t> tensor_chunks_;
  std::vector<Group> pulls_;
  std::vector<std::vector<Group>> pushes_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_ROUTER_H_
