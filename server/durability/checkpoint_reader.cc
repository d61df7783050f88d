#include "server/durability/checkpoint_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/cluster/tables.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_manifest.h"
#include "server/durability/row_layers.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

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

absl::StatusOr<std::unique_ptr<CheckpointReader>> CheckpointReader::Open(FileSystem& files,
                                                                         const std::string& folder) {
  SYNCLINE_ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadCheckpointManifest(files, folder));
  return std::unique_ptr<CheckpointReader>(new CheckpointReader(files, folder, std::move(manifest)));
}

absl::Status CheckpointReader::CheckModel(const ShardMap& map) const {
  const std::string difference = Difference(manifest_.map(), map);
  if (difference.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(folder_, " is of another model: ", difference,
                   "; restore with the manifest it was made with, or start without --restore"));
}

absl::Status CheckpointReader::Prepare(const std::vector<uint32_t>& chunks) {
  std::vector<bool> wanted(static_cast<size_t>(manifest_.map().shards_size()));
  for (const uint32_t chunk : chunks) wanted[OwnerOf(chunk)] = true;
  for (const CheckpointFile& file : manifest_.files()) {
    ShardFileId id;
    if (!ParseShardFileName(file.name(), &id) || id.shard >= wanted.size() || !wanted[id.shard]) continue;
    std::unique_ptr<const ShardFile>& opened = opened_[{id.shard, id.kind}][id.layer];
    if (opened != nullptr) continue;
    SYNCLINE_ASSIGN_OR_RETURN(opened, ShardFile::Open(files_, folder_, file));
  }
  return absl::OkStatus();
}

// In format 1 slots of tables lie among the dense chunks.
const CheckpointReader::Files* CheckpointReader::FilesOf(uint32_t shard, bool rows) const {
  auto found = rows ? opened_.find({shard, FileKind::kRows}) : opened_.end();
  if (found == opened_.end()) found = opened_.find({shard, FileKind::kDense});
  return found == opened_.end() ? nullptr : &found->second;
}

absl::StatusOr<const ShardFile*> CheckpointReader::LayerBelow(const ShardFile& file, const Files& files,
                                                              uint32_t chunk) const {
  const ShardFile::Listed* listed = file.Find(chunk);
  if (listed == nullptr || !listed->below) return file.Damaged(absl::StrCat("chunk ", chunk, " is not in it"));
  const auto found = files.find(*listed->below);
  if (found != files.end()) return found->second.get();
  ShardFileId missing = file.id();
  missing.layer = *listed->below;
  return DamagedCheckpoint(folder_ + "/" + kManifestFile,
                           absl::StrCat(ShardFileName(missing), " is not among its files, and has what is not in ",
                                        ShardFileName(file.id())));
}

absl::StatusOr<ChunkSnapshot> CheckpointReader::Read(uint32_t chunk, bool with_state) const {
  const uint32_t owner = OwnerOf(chunk);
  const Files* files = FilesOf(owner, infos_[chunk].rows);
  if (files == nullptr) {
    return DamagedCheckpoint(folder_ + "/" + kManifestFile,
                             absl::StrCat(ShardFileName({owner}), " is not among its files"));
  }
  const ShardFile* newest = files->rbegin()->second.get();
  const ShardFile::Listed* listed = newest->Find(chunk);
  if (listed == nullptr) return newest->Damaged(absl::StrCat("chunk ", chunk, " is not in it"));
  ChunkSnapshot snapshot;
  snapshot.chunk = chunk;
  snapshot.version = listed->version;
  if (with_state) snapshot.applied = listed->applied;
  SYNCLINE_RETURN_IF_ERROR(infos_[chunk].rows ? ReadRows(newest, *files, with_state, &snapshot)
                                              : ReadDense(newest, *files, with_state, &snapshot));
  return snapshot;
}

absl::Status CheckpointReader::ReadDense(const ShardFile* file, const Files& files, bool with_state,
                                         ChunkSnapshot* chunk) const {
  const std::string id = ChunkId(manifest_.map(), infos_[chunk->chunk]);
  while (true) {
    SYNCLINE_ASSIGN_OR_RETURN(const bool here, file->Read(kWeights, id, "F32", &chunk->weights));
    if (here) break;
    SYNCLINE_ASSIGN_OR_RETURN(file, LayerBelow(*file, files, chunk->chunk));
  }
  while (with_state) {
    Fragments state;
    SYNCLINE_ASSIGN_OR_RETURN(const bool here, file->Read(StatePrefix(chunk->state.size()), id, "F32", &state));
    if (!here) break;
    chunk->state.push_back(std::move(state));
  }
  const uint64_t bytes = infos_[chunk->chunk].elements * sizeof(float);
  const auto fits = [bytes](const Fragments& part) { return part.size() == bytes; };
  if (fits(chunk->weights) && std::all_of(chunk->state.begin(), chunk->state.end(), fits)) return absl::OkStatus();
  return file->Damaged(absl::StrCat(id, " should have ", bytes, " bytes of weights, and of each slot of state"));
}

absl::Status CheckpointReader::ReadRows(const ShardFile* file, const Files& files, bool with_state,
                                        ChunkSnapshot* chunk) const {
  const ChunkInfo& info = infos_[chunk->chunk];
  const std::string id = ChunkId(manifest_.map(), info);
  SYNCLINE_ASSIGN_OR_RETURN(const RowFormat format,
                            FormatOf(manifest_.map().tensors(static_cast<int>(info.tensor)).table()));
  std::vector<RowLayer> layers;
  while (true) {
    RowLayer layer;
    Fragments counts, ages;
    SYNCLINE_ASSIGN_OR_RETURN(const bool all, file->Read(kRows, id, "U8", &layer.rows));
    SYNCLINE_ASSIGN_OR_RETURN(const bool changed, file->Read(kChangedRows, id, "U8", &layer.rows));
    SYNCLINE_RETURN_IF_ERROR(file->Read(kErasedRows, id, "U64", &layer.erased).status());
    SYNCLINE_ASSIGN_OR_RETURN(const bool counted, file->Read(kAdmission, id, "U8", &counts));
    SYNCLINE_ASSIGN_OR_RETURN(const bool aged, file->Read(kAges, id, "U8", &ages));
    if ((counted || aged) && with_state && chunk->state.empty()) {
      chunk->state.push_back(std::move(counts));
      if (aged) chunk->state.push_back(std::move(ages));
    }
    if (layer.rows.size() % format.stride() != 0) {
      return file->Damaged(
          absl::StrCat(id, " has ", layer.rows.size(), " bytes, which are no rows of ", format.stride()));
    }
    if (all || changed) layers.push_back(std::move(layer));
    if (all) break;
    SYNCLINE_ASSIGN_OR_RETURN(file, LayerBelow(*file, files, chunk->chunk));
  }
  chunk->weights = MergeRowLayers(std::move(layers), format.stride());
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::shared_ptr<const WorkerState>>> CheckpointReader::ReadWorkers(
    const std::vector<uint32_t>& chunks) const {
  std::map<uint32_t, std::map<std::string, uint32_t>> wanted;  // by owner
  for (const uint32_t chunk : chunks) wanted[OwnerOf(chunk)][ChunkId(manifest_.map(), infos_[chunk])] = chunk;
  std::map<Rank, WorkerState> workers;
  for (const auto& [owner, names] : wanted) {
    const Files* files = FilesOf(owner, false);
    if (files == nullptr) continue;
    SYNCLINE_ASSIGN_OR_RETURN(std::vector<WorkerState> parts, files->rbegin()->second->ReadWorkers(names));
    for (WorkerState& part : parts) {
      auto slots = std::move(part.slots);
      WorkerState& worker = workers.emplace(part.rank, std::move(part)).first->second;
      worker.slots.merge(slots);
    }
  }
  std::vector<std::shared_ptr<const WorkerState>> carried;
  for (auto& [rank, worker] : workers) carried.push_back(std::make_shared<const WorkerState>(std::move(worker)));
  return carried;
}

absl::StatusOr<StoredShard> OpenStoredShard(FileSystem& files, const std::string& folder, const ShardMap& map,
                                            uint32_t shard) {
  SYNCLINE_ASSIGN_OR_RETURN(std::shared_ptr<CheckpointReader> reader, CheckpointReader::Open(files, folder));
  SYNCLINE_RETURN_IF_ERROR(reader->CheckModel(map));
  const std::vector<uint32_t> chunks = HeldChunks(map, shard);
  SYNCLINE_RETURN_IF_ERROR(reader->Prepare(chunks));
  StoredShard stored;
  stored.step = reader->manifest().step();
  SYNCLINE_ASSIGN_OR_RETURN(stored.workers, reader->ReadWorkers(chunks));
  stored.read = [reader](uint32_t chunk) { return reader->Read(chunk, /*with_state=*/true); };
  return stored;
}

}  // namespace syncline
