#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_SAMPLES_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_SAMPLES_H_

#include <memory>
#include <string>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/status/status_matchers.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/shard_checkpoints.h"

namespace syncline {

// A small checkpoint for tests: tensor a [40, 30] (two chunks of 1024 and 176 elements) and b [3],
// one slot of state.

inline ShardMap SampleMap(int shards) {
  TensorSpec a;
  a.set_name("a");
  a.add_shape(40);
  a.add_shape(30);
  TensorSpec b;
  b.set_name("b");
  b.add_shape(3);
  std::vector<std::string> addresses;
  for (int i = 0; i < shards; ++i) addresses.push_back("localhost:" + std::to_string(i + 1));
  return *MakeShardMap({a, b}, addresses, 4096, false);
}

// Element i of chunk c is 1000 c + i + offset.
inline Fragments SampleFloats(const ChunkInfo& chunk, float offset) {
  auto floats = std::make_shared<std::vector<float>>();
  for (uint64_t i = 0; i < chunk.elements; ++i) {
    floats->push_back(1000.0f * static_cast<float>(chunk.id) + static_cast<float>(i) + offset);
  }
  return Fragments::Of(floats->data(), floats->size() * sizeof(float), floats);
}

inline ChunkSnapshot SampleChunk(const ChunkInfo& chunk) {
  return {chunk.id, 100 + chunk.id, SampleFloats(chunk, 0), {SampleFloats(chunk, 0.5f)},
          {{0, 7, 42}, {1, 8, 40 + chunk.id}}};
}

// What `shard` of `map` holds.
inline ShardSnapshot SampleSnapshot(const ShardMap& map, uint32_t shard) {
  ShardSnapshot snapshot;
  snapshot.step = 42;
  for (const ChunkInfo& chunk : Chunks(map)) {
    if (map.owner(static_cast<int>(chunk.id)) == shard) {
      snapshot.chunks.push_back(SampleChunk(chunk));
    }
  }
  return snapshot;
}

inline CheckpointManifest SampleManifest(const ShardMap& map, uint64_t step) {
  CheckpointManifest manifest;
  manifest.set_format(kCheckpointFormat);
  manifest.set_step(step);
  manifest.mutable_job()->set_name("sample");
  *manifest.mutable_map() = map;
  manifest.set_next_epoch(2);
  manifest.add_next_incarnation(9);
  return manifest;
}

inline absl::StatusOr<std::vector<CheckpointFile>> WriteSampleShard(FileSystem& files, const std::string& folder,
                                                                     const ShardMap& map, uint32_t shard) {
  return ShardCheckpoints(&files).Write({folder, "", shard, map}, SampleSnapshot(map, shard));
}

// Writes a checkpoint of `step` as a coordinator and its shards do.
inline absl::StatusOr<std::string> WriteSample(FileSystem& files, const std::string& directory,
                                               int shards, uint64_t step, uint32_t keep = 3) {
  const ShardMap map = SampleMap(shards);
  CheckpointManifest manifest = SampleManifest(map, step);
  if (const absl::Status status = BeginCheckpoint(files, directory, step); !status.ok()) {
    return status;
  }
  for (uint32_t shard = 0; shard < static_cast<uint32_t>(shards); ++shard) {
    const auto written = WriteSampleShard(files, PartialCheckpointFolder(directory, step), map, shard);
    if (!written.ok()) return written.status();
    for (const CheckpointFile& file : *written) *manifest.add_files() = file;
  }
  return CommitCheckpoint(files, directory, manifest, keep);
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_SAMPLES_H_
