#include "server/durability/shard_file_writer.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/io/safetensors.h"
#include "common/status/status_macros.h"
#include "server/durability/changed_rows.h"

namespace syncline {
namespace {

using Part = PlannedChunk::Part;

// Rows that changed are gathered in as many bytes before they are written.
constexpr size_t kGatherBytes = 256 << 10;
// Rows on disk are read as many bytes at a time.
constexpr size_t kColdBytes = 1 << 20;

// The tensors of a file and what they hold. The bytes are those of the snapshot, of the plan, or of the tables here.
class Contents {
 public:
  Contents(const ShardMap& map, const std::vector<PlannedChunk>& parts,
           const std::vector<std::shared_ptr<const WorkerState>>& workers)
      : map_(map), infos_(Chunks(map)) {
    for (const PlannedChunk& part : parts) Add(part);
    for (const auto& worker : workers) Add(*worker);
    AddTable(kChunksTensor, chunks_, 2);
    AddTable(kAppliedTensor, applied_, 4);
    if (!below_.empty()) AddTable(kBelowTensor, below_, 2);
    if (!workers_.empty()) AddTable(kWorkersTensor, workers_, 3);
  }

  const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
  absl::Status Write(const std::string& name, SafetensorsWriter* writer) const {
    const Source& source = sources_.at(name);
    if (source.changed != nullptr) return WriteChanged(*source.changed, writer);
    SYNCLINE_RETURN_IF_ERROR(WriteBytes(source.bytes, writer));
    if (source.cold == nullptr) return absl::OkStatus();
    return source.cold->ForEachBlock(kColdBytes, [&](const Fragments& rows) { return WriteBytes(rows, writer); });
  }

 private:
  struct Source {
    Fragments bytes;
    const ColdRows* cold = nullptr;  // behind them
    // The rows of it that changed, in place of `bytes`.
    const PlannedChunk* changed = nullptr;
  };

  void Add(const PlannedChunk& part) {
    const ChunkSnapshot& chunk = *part.chunk;
    const std::string id = ChunkId(map_, infos_[chunk.chunk]);
    chunks_.insert(chunks_.end(), {chunk.chunk, chunk.version});
    for (const AppliedPushes& pushes : chunk.applied) {
      applied_.insert(applied_.end(), {chunk.chunk, pushes.rank, pushes.incarnation, pushes.next});
    }
    if (part.part != Part::kAll) below_.insert(below_.end(), {chunk.chunk, part.below});
    if (part.part == Part::kNone) return;
    if (part.stride > 0) {
      AddRows(part, id);
    } else {
      AddFloats(absl::StrCat(kWeights, "/", id), chunk.weights);
      for (size_t slot = 0; slot < chunk.state.size(); ++slot) {
        AddFloats(absl::StrCat(StatePrefix(slot), "/", id), chunk.state[slot]);
      }
    }
  }

  void AddRows(const PlannedChunk& part, const std::string& id) {
    const ChunkSnapshot& chunk = *part.chunk;
    if (part.part == Part::kAll) {
      const std::string name = absl::StrCat(kRows, "/", id);
      tensors_.push_back({name, "U8", {chunk.WeightBytes()}});
      sources_[name].bytes = chunk.weights;
      sources_[name].cold = chunk.cold.get();
    } else {
      const std::string name = absl::StrCat(kChangedRows, "/", id);
      tensors_.push_back({name, "U8", {part.changed * part.stride}});
      sources_[name].changed = &part;
      if (!part.erased.empty()) {
        const std::string erased = absl::StrCat(kErasedRows, "/", id);
        tensors_.push_back({erased, "U64", {part.erased.size()}});
        sources_[erased].bytes = Fragments::Of(part.erased.data(), part.erased.size() * sizeof(uint64_t));
      }
    }
    if (!chunk.state.empty() && !chunk.state[0].empty()) AddBytes(absl::StrCat(kAdmission, "/", id), chunk.state[0]);
    if (chunk.state.size() > 1) AddBytes(absl::StrCat(kAges, "/", id), chunk.state[1]);
  }

  void Add(const WorkerState& worker) {
    workers_.insert(workers_.end(), {worker.rank, worker.clock, worker.updates});
    for (const auto& [place, floats] : worker.slots) {
      const std::string id = ChunkId(map_, infos_[place.first]);
      AddFloats(absl::StrCat(WorkerPrefix(worker.rank, place.second), "/", id), floats);
    }
  }

  void AddFloats(const std::string& name, const Fragments& floats) {
    tensors_.push_back({name, "F32", {floats.size() / sizeof(float)}});
    sources_[name].bytes = floats;
  }
  void AddBytes(const std::string& name, const Fragments& bytes) {
    tensors_.push_back({name, "U8", {bytes.size()}});
    sources_[name].bytes = bytes;
  }
  // `cells` must have all that it will.
  void AddTable(const std::string& name, const std::vector<uint64_t>& cells, uint64_t columns) {
    tensors_.push_back({name, "U64", {cells.size() / columns, columns}});
    sources_[name].bytes = Fragments::Of(cells.data(), cells.size() * sizeof(uint64_t));
  }

  static absl::Status WriteBytes(const Fragments& bytes, SafetensorsWriter* writer) {
    for (const Fragments::Piece& piece : bytes.pieces()) {
      SYNCLINE_RETURN_IF_ERROR(writer->Append({piece.data, piece.size}));
    }
    return absl::OkStatus();
  }

  static absl::Status WriteChanged(const PlannedChunk& part, SafetensorsWriter* writer) {
    std::string gathered;
    SYNCLINE_RETURN_IF_ERROR(ForEachChangedRow(*part.chunk, part.stride, part.since, [&](const char* row) {
      gathered.append(row, part.stride);
      if (gathered.size() < kGatherBytes) return absl::OkStatus();
      const absl::Status status = writer->Append(gathered);
      gathered.clear();
      return status;
    }));
    return writer->Append(gathered);
  }

  const ShardMap& map_;
  const std::vector<ChunkInfo> infos_;
  std::vector<SafetensorsTensor> tensors_;
  std::map<std::string, Source> sources_;
  std::vector<uint64_t> chunks_, applied_, below_, workers_;
};

}  // namespace

absl::StatusOr<CheckpointFile> WriteShardFile(FileSystem& files, const std::string& folder, const ShardFileId& id,
                                              const ShardMap& map, uint64_t step, const std::vector<PlannedChunk>& parts,
                                              const std::vector<std::shared_ptr<const WorkerState>>& workers) {
  const Contents contents(map, parts, workers);
  const SafetensorsMetadata metadata = {{"format", absl::StrCat("syncline-checkpoint-", kCheckpointFormat)},
                                        {"shard", absl::StrCat(id.shard)},
                                        {"step", absl::StrCat(step)}};
  CheckpointFile file;
  file.set_name(ShardFileName(id));
  SYNCLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SafetensorsWriter> writer,
      SafetensorsWriter::Create(files, folder + "/" + file.name(), contents.tensors(), metadata));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    SYNCLINE_RETURN_IF_ERROR(contents.Write(tensor.name, writer.get()));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const SafetensorsWriter::Written written, writer->Finish());
  file.set_bytes(written.bytes);
  file.set_crc32c(written.crc32c);
  return file;
}

}  // namespace syncline
