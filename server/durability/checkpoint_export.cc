#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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

// Tensors as they are exported, and where the bytes of each come from.
class Export {
 public:
  explicit Export(const CheckpointReader& reader) : reader_(reader), map_(reader.manifest().map()) {
    for (const ChunkInfo& info : Chunks(map_)) chunks_[info.tensor].push_back(info.id);
  }

  // Has to read the tables, as only their slots know how many rows they have.
  absl::StatusOr<std::vector<SafetensorsTensor>> Tensors() {
    std::vector<SafetensorsTensor> tensors;
    for (uint32_t t = 0; t < static_cast<uint32_t>(map_.tensors_size()); ++t) {
      const TensorSpec& tensor = map_.tensors(static_cast<int>(t));
      if (!IsTable(tensor)) {
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
    for (const uint32_t slot : chunks_.at(table)) {
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

absl::Status WriteWeights(FileSystem& files, const std::string& path, const CheckpointReader& reader) {
  Export weights(reader);
  SYNCLINE_ASSIGN_OR_RETURN(std::vector<SafetensorsTensor> tensors, weights.Tensors());
  const CheckpointManifest& manifest = reader.manifest();
  SYNCLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SafetensorsWriter> writer,
      SafetensorsWriter::Create(
          files, path, std::move(tensors),
          {{"job", manifest.job().name()}, {"step", absl::StrCat(manifest.step())}}));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    SYNCLINE_RETURN_IF_ERROR(weights.Write(tensor, writer.get()));
  }
  return writer->Finish().status();
}

}  // namespace

absl::Status ExportCheckpoint(FileSystem& files, const std::string& folder, const std::string& to) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto reader, CheckpointReader::Open(files, folder));
  std::vector<uint32_t> all;
  for (const ChunkInfo& info : Chunks(reader->manifest().map())) all.push_back(info.id);
  SYNCLINE_RETURN_IF_ERROR(reader->Prepare(all));
  const std::string unfinished = to + ".tmp";
  if (const absl::Status status = WriteWeights(files, unfinished, *reader); !status.ok()) {
    files.RemoveFile(unfinished).IgnoreError();
    return Naming(to, status);
  }
  SYNCLINE_RETURN_IF_ERROR(Naming(to, files.Rename(unfinished, to)));
  return files.SyncFolder(ParentFolder(to));
}

}  // namespace syncline
