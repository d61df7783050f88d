#ifndef SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_
#define SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "common/io/file_system.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

struct ShardFilePart {
  std::vector<ChunkSnapshot> chunks;
  // What workers carry of these chunks.
  std::vector<WorkerState> workers;
};

// Reads the chunks `wanted` out of `folder`/`file`, one shard's part of a checkpoint that `map` cut.
// The file is read once; nothing is returned unless its size and checksum are those of `file` and
// every wanted chunk is there, whole. Without `with_state`: weights and versions only.
//
// DATA_LOSS naming the file where something is wrong with it.
absl::StatusOr<ShardFilePart> ReadShardFile(FileSystem& files, const std::string& folder,
                                            const CheckpointFile& file, const ShardMap& map,
                                            const std::vector<uint32_t>& wanted, bool with_state);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_SHARD_FILE_H_
