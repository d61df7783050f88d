#ifndef SYNCLINE_SERVER_DURABILITY_SHARD_FILE_WRITER_H_
#define SYNCLINE_SERVER_DURABILITY_SHARD_FILE_WRITER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/layer_plan.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Writes one file of a shard's checkpoint, `folder`/ShardFileName(id), and syncs it; its name is on the disk once the
// folder is synced. Rows are written where they lie, those on disk and those that changed by way of a small buffer.
// Blocks. `folder` must have no file of that name.
absl::StatusOr<CheckpointFile> WriteShardFile(FileSystem& files, const std::string& folder, const ShardFileId& id,
                                              const ShardMap& map, uint64_t step, const std::vector<PlannedChunk>& parts,
                                              const std::vector<std::shared_ptr<const WorkerState>>& workers);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_SHARD_FILE_WRITER_H_
