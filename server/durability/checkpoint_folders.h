#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_FOLDERS_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_FOLDERS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "proto/checkpoint.pb.h"

namespace syncline {

// docs/checkpoint_format.md has the grammar. While it is being written a checkpoint lies in
// STEP.partial beside its place; only CommitCheckpoint gives it its name, so whatever folder has the
// name is whole. The shards' files in it are shard_checkpoints.h's.

// Names of the folders of a checkpoint of `step` in `directory`: "step-0000000042".
std::string CheckpointFolder(const std::string& directory, uint64_t step);
std::string PartialCheckpointFolder(const std::string& directory, uint64_t step);

// Makes an empty partial folder, removing what is left of an attempt before.
absl::Status BeginCheckpoint(FileSystem& files, const std::string& directory, uint64_t step);
// Writes MANIFEST.json and gives the folder its name; then deletes the oldest whole checkpoints
// beyond `keep`. Returns the folder.
absl::StatusOr<std::string> CommitCheckpoint(FileSystem& files, const std::string& directory,
                                             const CheckpointManifest& manifest, uint32_t keep);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_FOLDERS_H_
