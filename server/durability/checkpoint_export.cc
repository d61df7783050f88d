#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/io/safetensors.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"
#include "server/store/row_stream.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

// Rows as float32 are gathered in as many before they are written.
constexpr size_t kGatherFloats = 64 << 10;
constexpr uint32_t kMaxParts = 4096;

// Which part has what: every dense tensor whole, the slots of tables in all parts.
absl::StatusOr<ShardMap> PlanParts(const CheckpointManifest& manifest, uint32_t parts) {
  const std::vector<TensorSpec> tensors(manifest.map().tensors().begin(), manifest.map().tensors().end());
  SYNCLINE_ASSIGN_OR_RETURN(ShardMap plan, MakeShardMap(tensors, std::vector<std::string>(parts, "part"),
                                                        manifest.map().chunk_bytes(), /*keep_tensors_whole=*/true));
  if (parts != static_cast<uint32_t>(manifest.map().shards_size())) return plan;
  // A slot stays with the shard that wrote it.
  for (const ChunkInfo& chunk : Chunks(plan)) {
    const int id = static_cast<int>(chunk.id);
    if (chunk.rows) plan.set_owner(id, manifest.map().owner(id));
  }
  return plan;
}

// Tensors as they are exported, and where the bytes of each come from.
class Export {
 public:
  // Of these chunks.
  Export(const CheckpointReader& reader, const std::vector<uint32_t>& chunks)
      : reader_(reader), map_(reader.manifest().map()) {
    const std::vector<ChunkInfo> infos = Chunks(map_);
    for (const uint32_t chunk : chunks) chunks_[infos[chunk].tensor].push_back(chunk);
  }

  // Has to read the tables, as only their slots know how many rows they have.
  absl::StatusOr<std::vector<SafetensorsTensor>> Tensors() {
    std::vector<SafetensorsTensor> tensors;
    for (uint32_t t = 0; t < static_cast<uint32_t>(map_.tensors_size()); ++t) {
      const TensorSpec& tensor = map_.tensors(static_cast<int>(t));
      if (!IsTable(tensor)) {
        if (chunks_[t].empty()) continue;  // another part has it
        tensors.push_back({tensor.name(), "F32", {tensor.shape().begin(), tensor.shape().end()}});
        sources_[tensor.name()] = {t, {}};
        continue;
      }
      std::vector<uint64_t> keys;
      SYNCLINE_RETURN_IF_ERROR(ForEachRowOf(t, [&](const RowFormat&, const char* row) {
        keys.push_back(RowFormat::Key(row));
        return absl::OkStatus();
      }));
      const std::string key_name = tensor.name() + ".keys", row_name = tensor.name() + ".rows";
      tensors.push_back({key_name, "U64", {keys.size()}});
      tensors.push_back({row_name, "F32", {keys.size(), tensor.table().dim()}});
      sources_[key_name] = {t, std::move(keys)};
      sources_[row_name] = {t, {}};
    }
    return tensors;
  }

  absl::Status Write(const SafetensorsTensor& tensor, SafetensorsWriter* writer) const {
    const Source& source = sources_.at(tensor.name);
    if (tensor.dtype == "U64") {
      return writer->Append({reinterpret_cast<const char*>(source.keys.data()), tensor.bytes()});
    }
    if (IsTable(map_.tensors(static_cast<int>(source.tensor)))) return WriteRows(source.tensor, writer);
    for (const uint32_t chunk : chunks_.at(source.tensor)) {
      SYNCLINE_ASSIGN_OR_RETURN(const ChunkSnapshot snapshot, reader_.Read(chunk, /*with_state=*/false));
      for (const Fragments::Piece& piece : snapshot.weights.pieces()) {
        SYNCLINE_RETURN_IF_ERROR(writer->Append({piece.data, piece.size}));
      }
    }
    return absl::OkStatus();
  }

 private:
  struct Source {
    uint32_t tensor = 0;
    std::vector<uint64_t> keys;
  };

  // Slot by slot, each time in the same order.
  template <typename Visit>
  absl::Status ForEachRowOf(uint32_t table, const Visit& visit) const {
    SYNCLINE_ASSIGN_OR_RETURN(const RowFormat format, FormatOf(map_.tensors(static_cast<int>(table)).table()));
    const auto slots = chunks_.find(table);
    if (slots == chunks_.end()) return absl::OkStatus();
    for (const uint32_t slot : slots->second) {
      SYNCLINE_ASSIGN_OR_RETURN(const ChunkSnapshot snapshot, reader_.Read(slot, /*with_state=*/false));
      SYNCLINE_RETURN_IF_ERROR(
          ForEachRow(snapshot.weights, format.stride(), [&](const char* row) { return visit(format, row); }));
    }
    return absl::OkStatus();
  }

  absl::Status WriteRows(uint32_t table, SafetensorsWriter* writer) const {
    std::vector<float> gathered;
    const auto write = [&] {
      const absl::Status status =
          writer->Append({reinterpret_cast<const char*>(gathered.data()), gathered.size() * sizeof(float)});
      gathered.clear();
      return status;
    };
    SYNCLINE_RETURN_IF_ERROR(ForEachRowOf(table, [&](const RowFormat& format, const char* row) {
      gathered.resize(gathered.size() + format.dim());
      format.ReadWeights(row, gathered.data() + gathered.size() - format.dim());
      return gathered.size() < kGatherFloats ? absl::OkStatus() : write();
    }));
    return write();
  }

  const CheckpointReader& reader_;
  const ShardMap& map_;
  std::map<uint32_t, std::vector<uint32_t>> chunks_;  // by tensor
  std::map<std::string, Source> sources_;             // by name
};

absl::Status WriteWeights(FileSystem& files, const std::string& path, const CheckpointReader& reader,
                          const std::vector<uint32_t>& chunks, const SafetensorsMetadata& metadata) {
  Export weights(reader, chunks);
  SYNCLINE_ASSIGN_OR_RETURN(std::vector<SafetensorsTensor> tensors, weights.Tensors());
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<SafetensorsWriter> writer,
                            SafetensorsWriter::Create(files, path, std::move(tensors), metadata));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    SYNCLINE_RETURN_IF_ERROR(weights.Write(tensor, writer.get()));
  }
  return writer->Finish().status();
}

absl::Status ExportPart(FileSystem& files, const CheckpointReader& reader, const ShardMap& plan, uint32_t part,
                        const std::string& to) {
  const CheckpointManifest& manifest = reader.manifest();
  SafetensorsMetadata metadata = {{"job", manifest.job().name()}, {"step", absl::StrCat(manifest.step())}};
  if (plan.shards_size() > 1) metadata["part"] = absl::StrCat(part + 1, " of ", plan.shards_size());
  const std::string unfinished = to + ".tmp";
  const absl::Status written = WriteWeights(files, unfinished, reader, OwnedChunks(plan, part), metadata);
  if (!written.ok()) {
    files.RemoveFile(unfinished).IgnoreError();
    return Naming(to, written);
  }
  return Naming(to, files.Rename(unfinished, to));
}

}  // namespace

std::string ExportedFile(const std::string& to, uint32_t part, uint32_t parts) {
  if (parts == 1) return to;
  absl::string_view stem = to;
  const bool named = absl::ConsumeSuffix(&stem, ".safetensors");
  return absl::StrFormat("%s-%05d-of-%05d%s", stem, part + 1, parts, named ? ".safetensors" : "");
}

absl::StatusOr<std::vector<std::string>> ExportCheckpoint(FileSystem& files, const std::string& folder,
                                                          const std::string& to, uint32_t parts) {
  if (parts > kMaxParts) {
    return absl::InvalidArgumentError(
        absl::StrCat("--parts is ", parts, "; accepted: 0, one for each shard, to ", kMaxParts));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto reader, CheckpointReader::Open(files, folder));
  const ShardMap& map = reader->manifest().map();
  if (parts == 0) parts = static_cast<uint32_t>(map.shards_size());
  SYNCLINE_ASSIGN_OR_RETURN(const ShardMap plan, PlanParts(reader->manifest(), parts));
  std::vector<uint32_t> all;
  for (const ChunkInfo& info : Chunks(map)) all.push_back(info.id);
  SYNCLINE_RETURN_IF_ERROR(reader->Prepare(all));
  std::vector<std::string> written;
  for (uint32_t part = 0; part < parts; ++part) {
    written.push_back(ExportedFile(to, part, parts));
    SYNCLINE_RETURN_IF_ERROR(ExportPart(files, *reader, plan, part, written.back()));
  }
  SYNCLINE_RETURN_IF_ERROR(files.SyncFolder(ParentFolder(to)));
  return written;
}

}  // namespace syncline
