#ifndef SYNCLINE_WORKER_CLIENT_MEMORY_LINK_H_
#define SYNCLINE_WORKER_CLIENT_MEMORY_LINK_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/memory/local_socket.h"
#include "common/memory/shared_memory.h"
#include "proto/parameter_server.grpc.pb.h"

namespace syncline {

using LentBlocks = std::vector<std::shared_ptr<const SharedMemory>>;

// Blocks of this worker's memory that one shard on its host reads and writes. Thread-safe. Once the
// shard has gone it finds nothing any more, and tensors go through the network.
class MemoryLink {
 public:
  // A chunk in this process's memory.
  struct Chunk {
    const void* data = nullptr;
    size_t bytes = 0;
  };
  // Chunks as the shard names them.
  struct Places {
    uint64_t segment = 0;
    std::vector<uint64_t> offsets;
  };

  // Lends `blocks`. Null, without an error, when the shard is on another host. Blocks for some round
  // trips.
  static absl::StatusOr<std::unique_ptr<MemoryLink>> Attach(ParameterServer::Stub& shard,
                                                            const Sender& sender,
                                                            const LentBlocks& blocks);

  // Where the shard sees these chunks, if all lie in one block and the shard is still there.
  std::optional<Places> Find(absl::Span<const Chunk> chunks) const;

 private:
  struct Block {
    std::shared_ptr<const SharedMemory> memory;
    LocalSocket connection;
    uint64_t segment = 0;
  };

  MemoryLink() = default;
  static absl::StatusOr<Block> Lend(const AttachMemoryReply& offer,
                                    std::shared_ptr<const SharedMemory> memory);

  std::vector<Block> blocks_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_MEMORY_LINK_H_
