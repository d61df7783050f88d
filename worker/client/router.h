#ifndef SYNCLINE_WORKER_CLIENT_ROUTER_H_
#define SYNCLINE_WORKER_CLIENT_ROUTER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "common/cluster/shard_map.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Which chunks go together in a message, and to which shard. Pure; immutable once made.
class Router {
 public:
  // So many chunks go into a message at most: those that only name places have room for no more.
  static constexpr size_t kMaxGroupChunks = 2048;
  // Chunks of one shard of a map, of at most its message_bytes together (or a single chunk): slots of tables, which come
  // with keys, or else none.
  struct Group {
    uint64_t map_epoch = 0;
    uint32_t shard = 0;
    std::vector<uint32_t> chunks;
    size_t bytes = 0;  // of their elements
    // The shard keeps but copies of some of them.
    bool copies = false;
  };

  // Large messages cost least. On a slow path small ones (or single chunks) bring the first tensors
  // sooner, as messages under way share it.
  enum Messages { kLarge, kSmall };
  static constexpr size_t kSmallBytes = size_t{256} << 10;

  // Whether a dense tensor, by name, is pulled here. Null: all are.
  using Holds = std::function<bool(const std::string& tensor)>;

  // `message_bytes`: by shard, of large messages.
  Router(const ShardMap& map, std::vector<size_t> message_bytes, const Holds& holds = nullptr);

  uint64_t map_epoch() const { return map_epoch_; }
  // By chunk id; the same for every map of a job.
  const std::vector<ChunkInfo>& chunks() const { return chunks_; }
  size_t tensors() const { return tensor_chunks_.size(); }
  size_t shards() const { return shards_; }
  // How many chunks a tensor has.
  size_t tensor_chunks(size_t tensor) const { return tensor_chunks_[tensor]; }

  // What is sent of chunks in place of all their elements: so many bytes of each, and at most so many in a message.
  struct Parts {
    std::function<size_t(uint32_t chunk)> bytes;
    size_t message_bytes = 0;
    // From those who keep copies as well as from owners, so that each shard sends about as much.
    bool copies = false;
  };

  // All chunks of tensors held here, those of the first tensors first, which a model needs first: what a pull asks for. At
  // least one of each shard, empty where it has no chunks.
  const std::vector<Group>& pulls(Messages messages = kLarge) const { return pulls_[messages]; }
  // The chunks of some tensors, in the order given: what a push of them sends.
  std::vector<Group> GroupsOf(absl::Span<const size_t> tensors, Messages messages = kLarge) const;
  // Those of some chunks.
  std::vector<Group> GroupsOfChunks(absl::Span<const uint32_t> chunks,
                                    Messages messages = kLarge, const Parts* parts = nullptr) const;
  // Of a tensor; the others follow.
  uint32_t first_chunk(size_t tensor) const { return first_chunk_[tensor]; }

 private:
  std::vector<Group> AllGroups(absl::Span<const size_t> held, Messages messages) const;
  // Adds a chunk to the shard's open group, which goes to `groups` first if the chunk does not fit in.
  void Add(uint32_t chunk, uint32_t shard, size_t bytes, size_t message_bytes, std::vector<Group>* open,
           std::vector<Group>* groups) const;
  // Who of those that have the chunk has the fewest of `bytes`, by shard; the owner if it is among them.
  uint32_t LeastOf(uint32_t chunk, const std::vector<size_t>& bytes) const;

  const uint64_t map_epoch_;
  const std::vector<ChunkInfo> chunks_;
  const std::vector<uint32_t> owner_;  // by chunk id
  const size_t backups_each_;
  const std::vector<uint32_t> backup_;  // ShardMap.backup
  const size_t shards_;
  const std::vector<size_t> message_bytes_;
  std::vector<size_t> tensor_chunks_;
  std::vector<uint32_t> first_chunk_;  // by tensor
  std::vector<Group> pulls_[2];  // by Messages
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_ROUTER_H_
