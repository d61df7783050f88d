#include <utility>
#include <vector>

#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"

namespace syncline {

absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(FileSystem& files, const std::string& folder) {
  VerifiedCheckpoint verified;
  SYNCLINE_ASSIGN_OR_RETURN(verified.manifest, ReadCheckpointManifest(files, folder));
  const ShardMap& map = verified.manifest.map();
  for (int shard = 0; shard < map.shards_size(); ++shard) {
    std::vector<uint32_t> chunks;
    for (int chunk = 0; chunk < map.owner_size(); ++chunk) {
      if (static_cast<int>(map.owner(chunk)) == shard) chunks.push_back(static_cast<uint32_t>(chunk));
    }
    SYNCLINE_RETURN_IF_ERROR(
        ReadChunks(files, folder, verified.manifest, chunks, /*with_state=*/true).status());
  }
  for (const CheckpointFile& file : verified.manifest.files()) verified.bytes += file.bytes();
  return verified;
}

absl::StatusOr<std::vector<std::string>> Checkpoints(FileSystem& files,
                                                     const std::string& path) {
  std::string directory = path;
  while (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  uint64_t step = 0;
  absl::string_view suffix;
  const std::string own = directory.substr(directory.find_last_of('/') + 1);
  if (ParseCheckpointName(own, &step, &suffix)) return std::vector<std::string>{directory};
  auto names = files.List(directory);
  if (!names.ok()) return Naming(directory, names.status());
  std::vector<std::string> folders;
  for (const std::string& name : *names) {
    if (ParseCheckpointName(name, &step, &suffix) && suffix != kPartial) {
      folders.push_back(directory + "/" + name);
    }
  }
  if (folders.empty()) {
    return absl::NotFoundError(directory + " holds no checkpoint (no folder step-NNNNNNNNNN)");
  }
  return folders;
}

}  // namespace syncline
