#ifndef SYNCLINE_SERVER_SERVICE_LENT_ROWS_H_
#define SYNCLINE_SERVER_SERVICE_LENT_ROWS_H_

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "common/memory/worker_link.h"
#include "common/threads/parallel_for.h"
#include "common/wire/chunk_message.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard.h"
#include "server/store/row_target.h"

namespace syncline {

// Rows of tables' slots where a worker on this host has them (LentRows). What is found stays lent as long as it lives.
// Errors are INVALID_ARGUMENT and name the field: a link that is null, bytes outside a block, an address off a key or a
// float, as many entries as there are no chunks.

// The gradients of a push, by chunk. Keys are copied, since they must stay what they were when they were checked;
// gradients are too if `shard` keeps them.
absl::StatusOr<std::vector<ChunkGradient>> ReadLentGradients(const PushHeader& header,
                                                             const std::vector<WireChunk>& chunks, const Shard& shard,
                                                             const ParallelFor& spread, WorkerLink* link);

// Where a pull's rows go, by chunk, and under which keys they are, where they lie.
struct LentTargets {
  std::vector<Fragments> keys;
  std::vector<RowTarget> to;
  size_t bytes = 0;  // of all rows
};
absl::StatusOr<LentTargets> FindLentTargets(const PullRequest& pull, const Shard& shard, WorkerLink* link);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_LENT_ROWS_H_
