#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/shard_map.h"
#include "common/io/file_system.h"
#include "proto/checkpoint.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/shard_file.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Reads what the coordinator and its shards wrote. Nothing is believed before it is checked: a missing file, a wrong
// size or checksum is DATA_LOSS naming the file.

// The newest whole checkpoint in `directory`; NOT_FOUND if there is none.
absl::StatusOr<std::string> LatestCheckpoint(FileSystem& files, const std::string& directory);

// The folders of all whole checkpoints in `directory`, sorted by name, or `directory` if it has the name
// of one; NOT_FOUND if there is none.
absl::StatusOr<std::vector<std::string>> Checkpoints(FileSystem& files,
                                                     const std::string& directory);

// One checkpoint, read chunk by chunk wherever the chunks lie: what is in memory at a time is one of them. Thread-safe
// once Prepare has returned.
class CheckpointReader {
 public:
  // Reads the manifest.
  static absl::StatusOr<std::unique_ptr<CheckpointReader>> Open(FileSystem& files, const std::string& folder);

  const CheckpointManifest& manifest() const { return manifest_; }
  // FAILED_PRECONDITION saying what differs, unless `map` cuts the same tensors in the same chunks.
  absl::Status CheckModel(const ShardMap& map) const;

  // Before anything of these chunks is read: reads every file in which they are once, and opens it.
  absl::Status Prepare(const std::vector<uint32_t>& chunks);
  // Without `with_state`: weights and versions only.
  absl::StatusOr<ChunkSnapshot> Read(uint32_t chunk, bool with_state) const;
  // What workers carry of these chunks, by rank.
  absl::StatusOr<std::vector<std::shared_ptr<const WorkerState>>> ReadWorkers(
      const std::vector<uint32_t>& chunks) const;

 private:
  // By layer.
  using Files = std::map<uint32_t, std::unique_ptr<const ShardFile>>;

  CheckpointReader(FileSystem& files, std::string folder, CheckpointManifest manifest)
      : files_(files), folder_(std::move(folder)), manifest_(std::move(manifest)), infos_(Chunks(manifest_.map())) {}

  uint32_t OwnerOf(uint32_t chunk) const { return manifest_.map().owner(static_cast<int>(chunk)); }
  // Where chunks of this kind of a shard are; null: nowhere.
  const Files* FilesOf(uint32_t shard, bool rows) const;
  absl::StatusOr<const ShardFile*> LayerBelow(const ShardFile& file, const Files& files, uint32_t chunk) const;
  absl::Status ReadDense(const ShardFile* file, const Files& files, bool with_state, ChunkSnapshot* chunk) const;
  absl::Status ReadRows(const ShardFile* file, const Files& files, bool with_state, ChunkSnapshot* chunk) const;

  FileSystem& files_;
  const std::string folder_;
  const CheckpointManifest manifest_;
  const std::vector<ChunkInfo> infos_;
  std::map<std::pair<uint32_t, FileKind>, Files> opened_;
};

// What `shard` of `map` is restored from, owned chunks and copies, whatever shards wrote them.
absl::StatusOr<StoredShard> OpenStoredShard(FileSystem& files, const std::string& folder, const ShardMap& map,
                                            uint32_t shard);

struct VerifiedCheckpoint {
  CheckpointManifest manifest;
  // Of its shards' files, and those of them that earlier checkpoints wrote.
  uint64_t bytes = 0;
  uint64_t linked_bytes = 0;
};
// Reads all of a checkpoint, as a restore would: every file is there with its size and checksum, those that earlier
// checkpoints wrote too, and every chunk can be put together from them.
absl::StatusOr<VerifiedCheckpoint> VerifyCheckpoint(FileSystem& files, const std::string& folder);

// Puts the weights of a checkpoint together as safetensors: a tensor each, whole, under its own name; of a table the
// keys and rows. In `parts` files, 0: as many as shards wrote it; a dense tensor is in one of them, a table's rows are
// in all. Holds a chunk or a slot in memory at a time, and the keys of a part. Each file is whole when it has its name;
// all are durable when it returns. Returns their names.
absl::StatusOr<std::vector<std::string>> ExportCheckpoint(FileSystem& files, const std::string& folder,
                                                          const std::string& to, uint32_t parts = 1);
// `to` for a single part; else, of part 0 of 3, "weights-00001-of-00003.safetensors".
std::string ExportedFile(const std::string& to, uint32_t part, uint32_t parts);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_READER_H_
