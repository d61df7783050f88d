#include "server/durability/checkpoint_reader.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/io/checksum.h"
#include "common/status/status_macros.h"
#include "google/protobuf/util/json_util.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/shard_file.h"

namespace syncline {
namespace {

absl::Status Damaged(const std::string& path, const std::string& how) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", how, "; the checkpoint is damaged, restore another one"));
}

// A file that the checkpoint must have.
absl::StatusOr<std::string> ReadPart(FileSystem& files, const std::string& path) {
  auto bytes = ReadFile(files, path);
  if (bytes.status().code() == absl::StatusCode::kNotFound) return Damaged(path, "is missing");
  if (!bytes.ok()) return Naming(path, bytes.status());
  return bytes;
}

absl::Status CheckManifest(const std::string& path, const CheckpointManifest& manifest) {
  if (manifest.format() != kCheckpointFormat) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": format: ", manifest.format(), "; this program reads ",
                     kCheckpointFormat, " (docs/checkpoint_format.md)"));
  }
  if (const absl::Status status = ValidateShardMap(manifest.map()); !status.ok()) {
    return Damaged(path, std::string(status.message()));
  }
  return absl::OkStatus();
}

// What is different between two maps that should cut the same tensors alike; empty: nothing.
std::string Difference(const ShardMap& saved, const ShardMap& now) {
  if (saved.chunk_bytes() != now.chunk_bytes()) {
    return absl::StrCat("chunk_bytes is ", now.chunk_bytes(), ", and was ", saved.chunk_bytes());
  }
  if (saved.tensors_size() != now.tensors_size()) {
    return absl::StrCat("the model has ", now.tensors_size(), " tensors, and had ",
                        saved.tensors_size());
  }
  for (int i = 0; i < now.tensors_size(); ++i) {
    const TensorSpec& was = saved.tensors(i);
    const TensorSpec& is = now.tensors(i);
    if (was.name() != is.name()) {
      return absl::StrCat("tensor ", i, " of the model is ", is.name(), ", and was ", was.name());
    }
    if (const std::string difference = Difference(was.table(), is.table()); !difference.empty()) {
      return absl::StrCat("table ", is.name(), ": ", difference);
    }
    if (!std::equal(was.shape().begin(), was.shape().end(), is.shape().begin(), is.shape().end())) {
      return absl::StrCat("tensor ", is.name(), " has another shape than before");
    }
  }
  return "";
}

const CheckpointFile* FileOfShard(const CheckpointManifest& manifest, uint32_t shard) {
  for (const CheckpointFile& file : manifest.files()) {
    if (file.name() == ShardFileName(shard)) return &file;
  }
  return nullptr;
}

// Whether a folder of this name is a whole checkpoint, and of which step.
bool NamesWhole(absl::string_view name, uint64_t* step) {
  absl::string_view suffix;
  return ParseCheckpointName(name, step, &suffix) && suffix != kPartial;
}

absl::Status HoldsNone(const std::string& directory) {
  return absl::NotFoundError(
      absl::StrCat(directory, " holds no checkpoint (no folder step-NNNNNNNNNN)"));
}

}  // namespace

absl::StatusOr<std::string> LatestCheckpoint(FileSystem& files, const std::string& directory) {
  const auto names = files.List(directory);
  if (!names.ok() && names.status().code() != absl::StatusCode::kNotFound) {
    return Naming(directory, names.status());
  }
  uint64_t newest = 0;
  std::string found;
  for (const std::string& name : names.ok() ? *names : std::vector<std::string>()) {
    uint64_t step = 0;
    if (!NamesWhole(name, &step)) continue;
    // Sorted, so that step-N comes before step-N.replaced, which counts only where it stands alone.
    if (found.empty() || step > newest) {
      newest = step;
      found = name;
    }
  }
  if (found.empty()) return HoldsNone(directory);
  return directory + "/" + found;
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
    if (NamesWhole(name, &step)) folders.push_back(directory + "/" + name);
  }
  if (folders.empty()) return HoldsNone(directory);
  return folders;
}

absl::StatusOr<CheckpointManifest> ReadCheckpointManifest(FileSystem& files,
                                                          const std::string& folder) {
  const std::string path = folder + "/" + kManifestFile;
  if (!files.Exists(folder)) {
    return absl::NotFoundError(absl::StrCat(folder, ": no such checkpoint"));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::string json, ReadPart(files, path));
  SYNCLINE_ASSIGN_OR_RETURN(const std::string sum,
                            ReadPart(files, folder + "/" + kManifestSumFile));
  if (absl::StripAsciiWhitespace(sum) != absl::StrFormat("%08x", Crc32c(json.data(), json.size()))) {
    return Damaged(path, absl::StrCat("its checksum is not the one in ", kManifestSumFile));
  }
  CheckpointManifest manifest;
  const auto status = google::protobuf::util::JsonStringToMessage(json, &manifest);
  if (!status.ok()) return Damaged(path, status.ToString());
  SYNCLINE_RETURN_IF_ERROR(CheckManifest(path, manifest));
  return manifest;
}

absl::StatusOr<ShardSnapshot> ReadChunks(FileSystem& files, const std::string& folder,
                                         const CheckpointManifest& manifest,
                                         const std::vector<uint32_t>& chunks, bool with_state) {
  ShardSnapshot snapshot;
  snapshot.step = manifest.step();
  std::map<Rank, WorkerState> workers;
  // Only the files in which the chunks lie.
  for (uint32_t writer = 0; writer < static_cast<uint32_t>(manifest.map().shards_size());
       ++writer) {
    std::vector<uint32_t> wanted;
    for (uint32_t chunk : chunks) {
      if (manifest.map().owner(static_cast<int>(chunk)) == writer) wanted.push_back(chunk);
    }
    if (wanted.empty()) continue;
    const CheckpointFile* file = FileOfShard(manifest, writer);
    if (file == nullptr) {
      return Damaged(folder + "/" + kManifestFile,
                     absl::StrCat(ShardFileName(writer), " is not among its files"));
    }
    SYNCLINE_ASSIGN_OR_RETURN(
        ShardFilePart read,
        ReadShardFile(files, folder, *file, manifest.map(), wanted, with_state));
    for (ChunkSnapshot& chunk : read.chunks) snapshot.chunks.push_back(std::move(chunk));
    for (WorkerState& part : read.workers) {
      auto slots = std::move(part.slots);
      WorkerState& worker = workers.emplace(part.rank, std::move(part)).first->second;
      worker.slots.merge(slots);
    }
  }
  for (auto& [rank, worker] : workers) {
    snapshot.workers.push_back(std::make_shared<const WorkerState>(std::move(worker)));
  }
  return snapshot;
}

absl::StatusOr<ShardSnapshot> ReadShardSnapshot(FileSystem& files, const std::string& folder,
                                                const ShardMap& map, uint32_t shard) {
  SYNCLINE_ASSIGN_OR_RETURN(const CheckpointManifest manifest,
                            ReadCheckpointManifest(files, folder));
  if (const std::string difference = Difference(manifest.map(), map); !difference.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, " is of another model: ", difference,
                     "; restore with the manifest it was made with, or start without --restore"));
  }
  return ReadChunks(files, folder, manifest, HeldChunks(map, shard), true);
}

}  // namespace syncline
