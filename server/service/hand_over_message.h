#ifndef SYNCLINE_SERVER_SERVICE_HAND_OVER_MESSAGE_H_
#define SYNCLINE_SERVER_SERVICE_HAND_OVER_MESSAGE_H_

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Chunks on their way from shard to shard, as HandOverRequest. The bytes are not copied: going out they
// are the snapshots' own, coming in they are pieces of the received buffer.

struct HandedOver {
  uint64_t map_epoch = 0;
  // The sender goes on owning them.
  bool copies = false;
  std::vector<ChunkSnapshot> chunks;
};

grpc::ByteBuffer EncodeChunks(uint64_t map_epoch, bool copies, absl::Span<const ChunkSnapshot> chunks);

// INVALID_ARGUMENT for a message whose parts do not fit together; FAILED_PRECONDITION for a sender that
// speaks another protocol.
absl::StatusOr<HandedOver> DecodeChunks(const grpc::ByteBuffer& message);

// As whom a shard lends another one memory. Shards have no rank: nothing on such a link is taken as a worker's, and
// chunks come over no other.
Sender ShardSender();

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_HAND_OVER_MESSAGE_H_
