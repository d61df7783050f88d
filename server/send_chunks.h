#ifndef SYNCLINE_SERVER_SEND_CHUNKS_H_
#define SYNCLINE_SERVER_SEND_CHUNKS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "proto/parameter_server.pb.h"
#include "server/chunk_lane.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Runs of chunks that go together, in a message of about 1 MiB; a larger chunk goes alone. There is at least one run.
std::vector<absl::Span<const ChunkSnapshot>> ChunkMessages(absl::Span<const ChunkSnapshot> chunks);

// Whether a chunk is too large for one message.
bool IsCut(const ChunkSnapshot& chunk);
// Calls send(part) for parts of a chunk of about 4 MiB each, rows on disk last, which are read one part at a time. Stops at
// the first error, of `send` or of the disk.
absl::Status ForEachPart(const ChunkSnapshot& chunk, const std::function<absl::Status(const ChunkSnapshot&)>& send);

// One attempt to take a run of chunks to another shard, as its own by map `map_epoch` or as copies of the sender's.
// Blocks; each message may take `timeout`. Errors are ChunkLane::Call's, or of the disk that rows are on.
absl::StatusOr<HandOverReply> SendChunks(ChunkLane* lane, uint64_t map_epoch, bool copies,
                                         absl::Span<const ChunkSnapshot> chunks, absl::Duration timeout);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SEND_CHUNKS_H_
