#ifndef SYNCLINE_SERVER_SEND_CHUNKS_H_
#define SYNCLINE_SERVER_SEND_CHUNKS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "grpcpp/channel.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Runs of chunks that go together in a message, of about 4 MiB; a larger chunk goes alone. There is at least one run.
std::vector<absl::Span<const ChunkSnapshot>> ChunkMessages(absl::Span<const ChunkSnapshot> chunks);

// One attempt to take chunks to another shard, as its own by map `map_epoch` or as copies of the sender's.
// Blocks. The channel's own error if it could not be made.
absl::Status SendChunks(const absl::StatusOr<std::shared_ptr<grpc::Channel>>& channel,
                        uint64_t map_epoch, bool copies, absl::Span<const ChunkSnapshot> chunks,
                        absl::Duration timeout);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SEND_CHUNKS_H_
