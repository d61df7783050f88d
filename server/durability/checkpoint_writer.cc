#include "server/durability/checkpoint_writer.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/cluster/shard_map.h"
#include "common/io/checksum.h"
#include "common/io/safetensors.h"
#include "common/status/status_macros.h"
#include "google/protobuf/util/json_util.h"
#include "server/durability/checkpoint_names.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// The tensors of a file and what they hold. The bytes are those of the snapshot, or of the tables.
struct Contents {
  std::vector<SafetensorsTensor> tensors;
  std::map<std::string, Fragments> bytes;
  std::vector<uint64_t> chunks;
  std::vector<uint64_t> applied;
  std::vector<uint64_t> workers;

  void AddFloats(const std::string& name, const Fragments& floats) {
    tensors.push_back({name, "F32", {floats.size() / sizeof(float)}});
    bytes[name] = floats;
  }
  void AddRows(const std::string& name, const Fragments& rows) {
    tensors.push_back({name, "U8", {rows.size()}});
    bytes[name] = rows;
  }
  void AddTable(const std::string& name, const std::vector<uint64_t>& cells, uint64_t columns) {
    tensors.push_back({name, "U64", {cells.size() / columns, columns}});
    bytes[name] = Fragments::Of(cells.data(), cells.size() * sizeof(uint64_t));
  }
};

void Fill(const ShardMap& map, const ShardSnapshot& snapshot, Contents* contents) {
  const std::vector<ChunkInfo> infos = Chunks(map);
  for (const ChunkSnapshot& chunk : snapshot.chunks) {
    const std::string id = ChunkId(map, infos[chunk.chunk]);
    if (infos[chunk.chunk].rows) {
      contents->AddRows(absl::StrCat(kRows, "/", id), chunk.weights);
    } else {
      contents->AddFloats(absl::StrCat(kWeights, "/", id), chunk.weights);
    }
    for (size_t slot = 0; slot < chunk.state.size(); ++slot) {
      contents->AddFloats(absl::StrCat(StatePrefix(slot), "/", id), chunk.state[slot]);
    }
    contents->chunks.insert(contents->chunks.end(), {chunk.chunk, chunk.version});
    for (const AppliedPushes& pushes : chunk.applied) {
      contents->applied.insert(contents->applied.end(),
                               {chunk.chunk, pushes.rank, pushes.incarnation, pushes.next});
    }
  }
  contents->AddTable(kChunksTensor, contents->chunks, 2);
  contents->AddTable(kAppliedTensor, contents->applied, 4);
  for (const auto& worker : snapshot.workers) {
    contents->workers.insert(contents->workers.end(),
                             {worker->rank, worker->clock, worker->updates});
    for (const auto& [place, floats] : worker->slots) {
      const std::string id = ChunkId(map, infos[place.first]);
      contents->AddFloats(absl::StrCat(WorkerPrefix(worker->rank, place.second), "/", id), floats);
    }
  }
  if (!contents->workers.empty()) contents->AddTable(kWorkersTensor, contents->workers, 3);
}

absl::StatusOr<SafetensorsWriter::Written> WriteContents(FileSystem& files, const std::string& path,
                                                         const Contents& contents,
                                                         const SafetensorsMetadata& metadata) {
  SYNCLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SafetensorsWriter> writer,
      SafetensorsWriter::Create(files, path, contents.tensors, metadata));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    for (const Fragments::Piece& piece : contents.bytes.at(tensor.name).pieces()) {
      SYNCLINE_RETURN_IF_ERROR(writer->Append({piece.data, piece.size}));
    }
  }
  SYNCLINE_ASSIGN_OR_RETURN(const SafetensorsWriter::Written written, writer->Finish());
  SYNCLINE_RETURN_IF_ERROR(files.SyncFolder(ParentFolder(path)));
  return written;
}

absl::Status Explain(const std::string& path, const absl::Status& status) {
  if (status.code() != absl::StatusCode::kNotFound) return Naming(path, status);
  return absl::FailedPreconditionError(absl::StrCat(
      "checkpoint.directory: ", ParentFolder(path),
      " is not there: the coordinator made it, so the shards must see the same files as the "
      "coordinator (a shared file system, under the same path)"));
}

absl::Status CreateFolderDurably(FileSystem& files, const std::string& path) {
  const std::string parent = ParentFolder(path);
  if (files.Exists(path)) return absl::OkStatus();
  if (parent != path) SYNCLINE_RETURN_IF_ERROR(CreateFolderDurably(files, parent));
  SYNCLINE_RETURN_IF_ERROR(files.CreateFolder(path));
  return files.SyncFolder(parent);
}

absl::Status WriteManifest(FileSystem& files, const std::string& folder,
                           const CheckpointManifest& manifest) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (const auto status = google::protobuf::util::MessageToJsonString(manifest, &json, options);
      !status.ok()) {
    return absl::InternalError(absl::StrCat(kManifestFile, ": ", status.ToString()));
  }
  const std::string sum = absl::StrFormat("%08x\n", Crc32c(json.data(), json.size()));
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(files, folder + "/" + kManifestSumFile, sum));
  return WriteFileAtomically(files, folder + "/" + kManifestFile, json);
}

// A step may come twice: in bounded and async a slow worker can hold the lowest clock where it is
// while the others train on. The older one stays whole, under another name, until the newer has its
// place.
absl::Status GiveName(FileSystem& files, const std::string& partial, const std::string& folder) {
  const std::string replaced = folder + kReplaced;
  if (files.Exists(folder)) {
    SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(replaced));
    SYNCLINE_RETURN_IF_ERROR(files.Rename(folder, replaced));
  }
  SYNCLINE_RETURN_IF_ERROR(files.Rename(partial, folder));
  return files.SyncFolder(ParentFolder(folder));
}

// Loses its name first, so that no name ever stands for half a checkpoint.
absl::Status Remove(FileSystem& files, const std::string& folder) {
  const std::string partial = folder + kPartial;
  SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(partial));
  SYNCLINE_RETURN_IF_ERROR(files.Rename(folder, partial));
  SYNCLINE_RETURN_IF_ERROR(files.SyncFolder(ParentFolder(folder)));
  return files.RemoveFolder(partial);
}

// Removes all but the newest `keep` up to `step`, and what is left of attempts before it. Those
// beyond `step` are another run's: not ours to delete.
absl::Status RemoveOld(FileSystem& files, const std::string& directory, uint64_t step,
                       uint32_t keep) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<std::string> names, files.List(directory));
  std::vector<std::pair<uint64_t, std::string>> whole;
  for (const std::string& name : names) {
    uint64_t at = 0;
    absl::string_view suffix;
    if (!ParseCheckpointName(name, &at, &suffix) || at > step) continue;
    if (suffix.empty()) {
      whole.emplace_back(at, directory + "/" + name);
    } else {
      SYNCLINE_RETURN_IF_ERROR(files.RemoveFolder(directory + "/" + name));
    }
  }
  std::sort(whole.begin(), whole.end());
  for (size_t i = 0; i + std::max<size_t>(keep, 1) < whole.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(Remove(files, whole[i].second));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<CheckpointFile>> WriteShardSnapshot(FileSystem& files,
                                                               const std::string& folder,
                                                               uint32_t shard, const ShardMap& map,
                                                               const ShardSnapshot& snapshot) {
  Contents contents;
  Fill(map, snapshot, &contents);
  const std::string path = folder + "/" + ShardFileName(shard);
  const auto written =
      WriteContents(files, path, contents,
                    {{"format", absl::StrCat("syncline-checkpoint-", kCheckpointFormat)},
                     {"shard", absl::StrCat(shard)},
                     {"step", absl::StrCat(snapshot.step)}});
  if (!written.ok()) {
    // Half a file is of no use, and the disk may be full. The first error is the one to tell.
    files.RemoveFile(path).IgnoreError();
    return Explain(path, written.status());
  }
  CheckpointFile file;
  file.set_name(ShardFileName(shard));
  file.set_bytes(written->bytes);
  file.set_crc32c(written->crc32c);
  return std::vector<CheckpointFile>{file};
}

std::string CheckpointFolder(const std::string& directory, uint64_t step) {
  return directory + "/" + CheckpointName(step);
}

std::string PartialCheckpointFolder(const std::string& directory, uint64_t step) {
  return CheckpointFolder(directory, step) + kPartial;
}

absl::Status BeginCheckpoint(FileSystem& files, const std::string& directory, uint64_t step) {
  const std::string folder = PartialCheckpointFolder(directory, step);
  SYNCLINE_RETURN_IF_ERROR(Naming(directory, CreateFolderDurably(files, directory)));
  SYNCLINE_RETURN_IF_ERROR(Naming(folder, files.RemoveFolder(folder)));
  return Naming(folder, files.CreateFolder(folder));
}

absl::StatusOr<std::string> CommitCheckpoint(FileSystem& files, const std::string& directory,
                                             const CheckpointManifest& manifest, uint32_t keep) {
  const std::string partial = PartialCheckpointFolder(directory, manifest.step());
  const std::string folder = CheckpointFolder(directory, manifest.step());
  SYNCLINE_RETURN_IF_ERROR(
      Naming(partial + "/" + kManifestFile, WriteManifest(files, partial, manifest)));
  SYNCLINE_RETURN_IF_ERROR(Naming(folder, GiveName(files, partial, folder)));
  // The checkpoint is durable: too many old ones beside it are no reason to call it failed.
  if (const absl::Status status = RemoveOld(files, directory, manifest.step(), keep);
      !status.ok()) {
    spdlog::warn("old checkpoints in {} are left: {}", directory, std::string(status.message()));
  }
  return folder;
}

}  // namespace syncline
