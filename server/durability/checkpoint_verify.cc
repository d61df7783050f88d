#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_reader.h"

namespace syncline {

absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(FileSystem& files, const std::string& folder) {
  VerifiedCheckpoint verified;
  SYNCLINE_ASSIGN_OR_RETURN(verified.manifest, ReadCheckpointManifest(files, folder));
  const ShardMap& map = verified.manifest.map();
  for (uint32_t shard = 0; shard < static_cast<uint32_t>(map.shards_size()); ++shard) {
    SYNCLINE_RETURN_IF_ERROR(ReadChunks(files, folder, verified.manifest, OwnedChunks(map, shard),
                                        /*with_state=*/true)
                                 .status());
  }
  for (const CheckpointFile& file : verified.manifest.files()) verified.bytes += file.bytes();
  return verified;
}

}  // namespace syncline
