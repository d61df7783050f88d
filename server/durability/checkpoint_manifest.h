#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_MANIFEST_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_MANIFEST_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "proto/checkpoint.pb.h"

namespace syncline {

// MANIFEST.json of a checkpoint's folder, and its checksum beside it.

// Writes both, durably.
absl::Status WriteCheckpointManifest(FileSystem& files, const std::string& folder,
                                     const CheckpointManifest& manifest);

// DATA_LOSS naming the file if one is missing, or not as it was written; NOT_FOUND if there is no such folder.
absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(FileSystem& files, const std::string& folder);

// What is said of a file of a checkpoint that is not as it was written.
absl::Status DamagedCheckpoint(const std::string& path, const std::string& how);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_MANIFEST_H_
