#ifndef SYNCLINE_SERVER_COORDINATOR_GRPC_SHARD_LINK_H_
#define SYNCLINE_SERVER_COORDINATOR_GRPC_SHARD_LINK_H_

#include <cstdint>

#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "server/coordinator/shard_link.h"

namespace syncline {

struct ShardLinkPatience {
  // How long a call is repeated while the shard is away. Others wait meanwhile, and whoever asked asks
  // again; so not for long.
  absl::Duration away = absl::Seconds(5);
  // One attempt at a checkpoint, which waits for its step and for the disk. Asked again when it has
  // passed: the shard writes the same file again.
  absl::Duration checkpoint_attempt = absl::Hours(1);
};

// Shards over gRPC. Errors begin with what was asked of whom: "configuring shard HOST:PORT: ...".
// Connecting happens with the first call; errors of the function itself are those of the
// credentials' files.
// `generation`: of the coordinator, in all that changes a shard.
ConnectShard GrpcShards(const SecurityOptions& security, const ShardLinkPatience& patience = {},
                        uint64_t generation = 1);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_GRPC_SHARD_LINK_H_
