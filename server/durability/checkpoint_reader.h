#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "proto/checkpoint.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Reads what checkpoint_writer.h wrote. Nothing is believed before it is checked: a missing file, a
// wrong size or checksum is DATA_LOSS naming the file.

// The newest whole checkpoint in `directory`; NOT_FOUND if there is none.
absl::StatusOr<std::string> LatestCheckpoint(FileSystem& files, const std::string& directory);

// The folders of all whole checkpoints in `directory`, sorted by name, or `directory` if it has the name
// of one; NOT_FOUND if there is none.
absl::StatusOr<std::vector<std::string>> Checkpoints(FileSystem& files,
                                                     const std::string& directory);

// MANIFEST.json of a checkpoint's folder.
absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(FileSystem& files,
                                                          const std::string& folder);

// The chunks that `shard` owns in `map`, whatever shards wrote them. The map must cut the same
// tensors in the same chunks as the checkpoint's; FAILED_PRECONDITION says what differs.
absl::StatusOr<ShardSnapshot> ReadShardSnapshot(FileSystem& files, const std::string& folder,
                                                const ShardMap& map, uint32_t shard);

// Chunks `chunks` of a checkpoint whose manifest was read, wherever they lie. Without `with_state`:
// weights and versions only.
absl::StatusOr<ShardSnapshot> ReadChunks(FileSystem& files, const std::string& folder,
                                         const CheckpointManifest& manifest,
                                         const std::vector<uint32_t>& chunks, bool with_state);

struct VerifiedCheckpoint {
  CheckpointManifest manifest;
  uint64_t bytes = 0;  // of all shard files
};
// Reads all of a checkpoint, a shard's file at a time, as a restore would: every file is there with its
// size and checksum, and every chunk in it whole.
absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(FileSystem& files, const std::string& folder);

// Puts the weights of a checkpoint together in one safetensors file: a tensor each, whole, under
// its own name. Durable when it returns. Holds all weights in memory meanwhile.
absl::Status ExportCheckpoint(FileSystem& files, const std::string& folder, const std::string& to);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_
