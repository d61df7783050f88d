#ifndef SYNCLINE_SERVER_SERVICE_CHECKPOINT_CALL_H_
#define SYNCLINE_SERVER_SERVICE_CHECKPOINT_CALL_H_

#include <memory>

#include "absl/status/statusor.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/shard_checkpoints.h"
#include "server/shard/shard.h"

namespace syncline {

// Waits for the snapshot that a coordinator asks for, and writes it. Blocks. Thread-safe.
absl::StatusOr<WriteCheckpointReply> WriteCheckpointOf(const std::shared_ptr<Shard>& shard,
                                                       const WriteCheckpointRequest& request,
                                                       ShardCheckpoints* checkpoints);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_CHECKPOINT_CALL_H_
