#ifndef SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_
#define SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "common/optimizer/update_rule.h"
#include "common/tensor/fragments.h"
#include "server/store/cold_rows.h"
#include "server/store/erased_rows.h"

namespace syncline {

// What a chunk remembers of a rank's pushes: those of `incarnation` below clock `next` are applied.
struct AppliedPushes {
  Rank rank = 0;
  Incarnation incarnation = 0;
  Clock next = 0;
};

// How the last update of a chunk was made, as far as other chunks have to do with it.
struct LastUpdate {
  // sync with clip_norm: what the step's gradient was scaled by.
  std::optional<float> gradient_scale;
  // Layer-wise rules: this chunk's part of its tensor's sums.
  LayerSums sums;
};

// What a copy of a chunk was when it was last heard of: its version, and the map it was sent by.
struct CopyState {
  uint64_t epoch = 0;
  uint64_t version = 0;
};

// Which part of a chunk too large for one message: where it begins among the bytes of its arrays one behind the other,
// and how many those are; 0 of 0: all of it.
struct ChunkPart {
  uint64_t begin = 0;
  uint64_t of = 0;
};

// One chunk between two updates. The bytes are float32 and shared with the shard copy-on-write:
// they never change, and live as long as a copy of the Fragments does.
struct ChunkSnapshot {
  uint32_t chunk = 0;
  uint64_t version = 0;
  Fragments weights;
  // The optimizer's slots, in its own order, each as long as the weights; of rows see ChunkContent.
  std::vector<Fragments> state;
  std::vector<AppliedPushes> applied;
  // sync: how many steps are in it.
  Clock step = 0;
  LastUpdate last{};
  // Of rows; null where nobody knows, as of what was read.
  std::shared_ptr<const ErasedRows> erased{};
  // Of a table's slot: `weights` are only the rows that were changed since a copy was like this, and `gone` the keys of those
  // that went, 8 bytes each.
  std::optional<CopyState> since{};
  Fragments gone{};
  // Of a table's slot: bytes of a row, between which it may be cut. Otherwise 0. Known to whoever sends it alone.
  size_t row_bytes = 0;
  // A piece of it, in `weights`, whatever array it is of.
  ChunkPart part{};
  // Of a table's slot: the rows that `weights` lacks, as they are on disk; null: there are none. Known here alone.
  std::shared_ptr<const ColdRows> cold{};

  // Bytes of the weights, wherever they are.
  size_t WeightBytes() const { return weights.size() + (cold != nullptr ? cold->size() : 0); }
};

// What a worker carries from step to step beside the weights, of some chunks.
struct WorkerState {
  Rank rank = 0;
  // Steps below this one are in it.
  Clock clock = 0;
  // Made by the worker's own optimizer (local_steps).
  uint64_t updates = 0;
  // By chunk and slot, float32, as long as the chunk's weights. Slot 0 is what the worker's codec
  // holds back, the others are its optimizer's.
  std::map<std::pair<uint32_t, uint32_t>, Fragments> slots;
};

// What a shard is restored from, chunk by chunk, so that two of a table are never in memory.
struct StoredShard {
  // sync: steps applied. Otherwise the lowest live clock.
  uint64_t step = 0;
  // By rank.
  std::vector<std::shared_ptr<const WorkerState>> workers;
  // Blocks.
  std::function<absl::StatusOr<ChunkSnapshot>(uint32_t chunk)> read;
};

// A shard between two steps; in bounded and async each chunk between two of its updates.
struct ShardSnapshot {
  // sync: steps applied. Otherwise the lowest live clock.
  uint64_t step = 0;
  std::vector<ChunkSnapshot> chunks;
  // By rank; see Shard::AwaitWorkerStates.
  std::vector<std::shared_ptr<const WorkerState>> workers;
  // Of what workers are asked for; 0: nothing.
  uint64_t workers_ticket = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_SHARD_SNAPSHOT_H_
