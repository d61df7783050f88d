#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_reader.h"

namespace syncline {

absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(FileSystem& files, const std::string& folder) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto reader, CheckpointReader::Open(files, folder));
  VerifiedCheckpoint verified;
  verified.manifest = reader->manifest();
  const ShardMap& map = verified.manifest.map();
  for (uint32_t shard = 0; shard < static_cast<uint32_t>(map.shards_size()); ++shard) {
    const std::vector<uint32_t> chunks = OwnedChunks(map, shard);
    SYNCLINE_RETURN_IF_ERROR(reader->Prepare(chunks));
    for (const uint32_t chunk : chunks) SYNCLINE_RETURN_IF_ERROR(reader->Read(chunk, /*with_state=*/true).status());
    SYNCLINE_RETURN_IF_ERROR(reader->ReadWorkers(chunks).status());
  }
  for (const CheckpointFile& file : verified.manifest.files()) {
    verified.bytes += file.bytes();
    if (file.linked()) verified.linked_bytes += file.bytes();
  }
  return verified;
}

}  // namespace syncline
