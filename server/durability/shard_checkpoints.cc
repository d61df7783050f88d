#include "server/durability/shard_checkpoints.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_manifest.h"
#include "server/durability/shard_file_writer.h"
#include "server/store/table_format.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr FileKind kKinds[] = {FileKind::kDense, FileKind::kRows};

bool SameOwner(const std::weak_ptr<const void>& a, const std::weak_ptr<const void>& b) {
  return !a.owner_before(b) && !b.owner_before(a);
}

bool IsAmong(const CheckpointManifest& manifest, const CheckpointFile& file) {
  return std::any_of(manifest.files().begin(), manifest.files().end(), [&](const CheckpointFile& other) {
    return other.name() == file.name() && other.bytes() == file.bytes() && other.crc32c() == file.crc32c();
  });
}

// The snapshot's chunks that lie in files of this kind, each with all of it to be written.
absl::StatusOr<std::vector<PlannedChunk>> PartsOf(FileKind kind, const ShardMap& map, const ShardSnapshot& snapshot) {
  const std::vector<ChunkInfo> infos = Chunks(map);
  std::vector<PlannedChunk> parts;
  for (const ChunkSnapshot& chunk : snapshot.chunks) {
    const ChunkInfo& info = infos[chunk.chunk];
    if (info.rows != (kind == FileKind::kRows)) continue;
    PlannedChunk& part = parts.emplace_back();
    part.chunk = &chunk;
    if (!info.rows) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const RowFormat format, FormatOf(map.tensors(static_cast<int>(info.tensor)).table()));
    part.stride = format.stride();
  }
  return parts;
}

absl::Status Explain(const std::string& folder, const absl::Status& status) {
  if (status.code() != absl::StatusCode::kNotFound) return status;
  return absl::FailedPreconditionError(absl::StrCat(
      "checkpoint.directory: ", folder,
      " is not there: the coordinator made it, so the shards must see the same files as the "
      "coordinator (a shared file system, under the same path)"));
}

}  // namespace

bool ShardCheckpoints::StillThere(const Written& written, const Target& target) const {
  if (written.folder != target.folder || !SameOwner(written.of, target.of)) return false;
  return std::all_of(written.files.begin(), written.files.end(), [&](const CheckpointFile& file) {
    const auto opened = files_->Open(target.folder + "/" + file.name());
    return opened.ok() && (*opened)->size() == file.bytes();
  });
}

// What the base has of this shard. Anything else may be forgotten: it did not come to be.
ShardCheckpoints::Written ShardCheckpoints::KnownOf(const Target& target) {
  Written known;
  if (!target.base.empty() && !written_.empty()) {
    const auto manifest = ReadCheckpointManifest(*files_, target.base);
    for (Written& written : written_) {
      const auto named = [&](const CheckpointFile& file) { return IsAmong(*manifest, file); };
      if (manifest.ok() && SameOwner(written.of, target.of) &&
          std::all_of(written.files.begin(), written.files.end(), named)) {
        known = std::move(written);
      }
    }
  }
  written_.clear();
  if (!known.files.empty()) written_.push_back(known);
  return known;
}

// A file must not be emptied to be written anew: it may have names in other checkpoints.
absl::Status ShardCheckpoints::Clear(const Target& target, FileKind kind) {
  const auto names = files_->List(target.folder);
  if (names.status().code() == absl::StatusCode::kNotFound) return Explain(target.folder, names.status());
  SYNCLINE_RETURN_IF_ERROR(Naming(target.folder, names.status()));
  for (const std::string& name : *names) {
    ShardFileId id;
    if (!ParseShardFileName(name, &id) || id.shard != target.shard || id.kind != kind) continue;
    SYNCLINE_RETURN_IF_ERROR(files_->RemoveFile(target.folder + "/" + name));
  }
  return absl::OkStatus();
}

bool ShardCheckpoints::Link(const Target& target, FileKind kind, const LayerPlan& plan) {
  for (const Layers::Layer& layer : plan.kept) {
    const std::string name = ShardFileName({target.shard, kind, layer.number});
    const absl::Status status =
        files_->Link(target.base + "/" + layer.file.name(), target.folder + "/" + name);
    if (status.ok()) continue;
    spdlog::warn("the checkpoint is written anew, also what did not change: {}", std::string(status.message()));
    return false;
  }
  return true;
}

absl::Status ShardCheckpoints::WriteKind(FileKind kind, const Layers& last, const Target& target,
                                         const ShardSnapshot& snapshot, Written* written) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<PlannedChunk> parts, PartsOf(kind, target.map, snapshot));
  if (parts.empty() && kind == FileKind::kRows) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(LayerPlan plan, PlanLayer(last, parts));
  if (!Link(target, kind, plan)) {
    SYNCLINE_RETURN_IF_ERROR(Clear(target, kind));
    SYNCLINE_ASSIGN_OR_RETURN(plan, PlanLayer({}, parts));
  }
  for (Layers::Layer& layer : plan.kept) {
    layer.file.set_name(ShardFileName({target.shard, kind, layer.number}));
    layer.file.set_linked(true);
    written->files.push_back(layer.file);
  }
  const ShardFileId id = {target.shard, kind, plan.number};
  const auto file = WriteShardFile(*files_, target.folder, id, target.map, snapshot.step, plan.parts,
                                   kind == FileKind::kDense ? snapshot.workers : decltype(snapshot.workers)());
  SYNCLINE_RETURN_IF_ERROR(Naming(target.folder + "/" + ShardFileName(id), file.status()));
  written->files.push_back(*file);
  (kind == FileKind::kDense ? written->dense : written->rows) = LayersAfter(last, plan, *file);
  return absl::OkStatus();
}

absl::StatusOr<ShardCheckpoints::Written> ShardCheckpoints::WriteOn(const Written& known, const Target& target,
                                                                    const ShardSnapshot& snapshot) {
  Written written;
  written.of = target.of;
  written.folder = target.folder;
  SYNCLINE_RETURN_IF_ERROR(WriteKind(FileKind::kDense, known.dense, target, snapshot, &written));
  SYNCLINE_RETURN_IF_ERROR(WriteKind(FileKind::kRows, known.rows, target, snapshot, &written));
  SYNCLINE_RETURN_IF_ERROR(Naming(target.folder, files_->SyncFolder(target.folder)));
  return written;
}

absl::StatusOr<std::vector<CheckpointFile>> ShardCheckpoints::Write(const Target& target,
                                                                    const ShardSnapshot& snapshot) {
  absl::MutexLock lock(&mu_);
  for (const Written& written : written_) {
    if (StillThere(written, target)) return written.files;
  }
  for (const FileKind kind : kKinds) SYNCLINE_RETURN_IF_ERROR(Clear(target, kind));
  const Written known = KnownOf(target);
  auto written = WriteOn(known, target, snapshot);
  if (!written.ok()) {
    // Half a file is of no use, and the disk may be full. The first error is the one to tell.
    for (const FileKind kind : kKinds) Clear(target, kind).IgnoreError();
    return Explain(target.folder, written.status());
  }
  written_.push_back(*std::move(written));
  return written_.back().files;
}

}  // namespace syncline
