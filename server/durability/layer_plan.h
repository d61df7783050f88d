#ifndef SYNCLINE_SERVER_DURABILITY_LAYER_PLAN_H_
#define SYNCLINE_SERVER_DURABILITY_LAYER_PLAN_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// What of a shard's chunks goes into the file that a checkpoint writes, and which files of earlier checkpoints it goes
// on using. The files are layers: each has some chunks whole, and of some slots of tables what changed since a lower
// layer. Pure functions, but for rows on disk, which are read.

// What is in the files of a checkpoint.
struct Layers {
  struct Layer {
    uint32_t number = 0;
    CheckpointFile file;
  };
  struct Content {
    uint64_t version = 0;
    // Of pushes to keys without a row (KeyAdmission::State), and of updates (UpdateTimes::State).
    uint64_t counted = 0;
    // Which layers have it, ascending: all of it in the first, and in each other what changed since the one before.
    std::vector<uint32_t> layers;
  };
  std::vector<Layer> layers;  // ascending
  std::map<uint32_t, Content> chunks;
};

// What of one chunk goes into the new layer.
struct PlannedChunk {
  enum class Part { kNone, kChanged, kAll };

  const ChunkSnapshot* chunk = nullptr;
  // Bytes of a row; 0 for a chunk of a dense tensor.
  size_t stride = 0;
  Part part = Part::kAll;
  // kNone, kChanged: the layer that has the rest.
  uint32_t below = 0;
  // kChanged: rows that updates after number `since` touched, how many they are, and keys of rows erased since.
  uint64_t since = 0;
  size_t changed = 0;
  std::vector<uint64_t> erased;
};

struct LayerPlan {
  uint32_t number = 0;
  // In the order given.
  std::vector<PlannedChunk> parts;
  // Earlier layers that are still needed, ascending.
  std::vector<Layers::Layer> kept;
};

// The files of a shard's dense tensors, or of its tables, are at most this many in a checkpoint, and have together at
// most kMostBytes times the bytes that one file with everything would have, and kSlack more.
inline constexpr size_t kMostLayers = 32;
inline constexpr uint64_t kMostBytes = 2;
inline constexpr uint64_t kSlack = 1 << 20;

// Chunks that are in `last` and did not change since are left out; of a slot of which some rows changed those are
// written; half of a slot's bytes or more: the slot. Where that would break one of the bounds above, everything is.
// Goes over all rows; an error says that some could not be read from disk.
absl::StatusOr<LayerPlan> PlanLayer(const Layers& last, std::vector<PlannedChunk> parts);

// What is in the checkpoint once the plan's layer is written as `file`.
Layers LayersAfter(const Layers& last, const LayerPlan& plan, const CheckpointFile& file);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_LAYER_PLAN_H_
