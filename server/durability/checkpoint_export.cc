#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/io/safetensors.h"
#include "common/status/status_macros.h"
#include "common/tensor/fragments.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"
#include "server/store/table_format.h"

namespace syncline {
namespace {

// Weights by the name of their tensor, then by their place in it.
using Weights = std::map<std::string, std::map<uint64_t, Fragments>>;

absl::StatusOr<Weights> ReadWeights(FileSystem& files, const std::string& folder,
                                    const CheckpointManifest& manifest) {
  const std::vector<ChunkInfo> infos = Chunks(manifest.map());
  std::vector<uint32_t> all(infos.size());
  std::iota(all.begin(), all.end(), 0);
  SYNCLINE_ASSIGN_OR_RETURN(const ShardSnapshot snapshot,
                            ReadChunks(files, folder, manifest, all, false));
  Weights weights;
  for (const ChunkSnapshot& chunk : snapshot.chunks) {
    const ChunkInfo& info = infos[chunk.chunk];
    weights[manifest.map().tensors(static_cast<int>(info.tensor)).name()][info.begin] =
        chunk.weights;
  }
  return weights;
}

// One tensor of the file, in the pieces it is written in.
struct Exported {
  SafetensorsTensor tensor;
  std::vector<Fragments> pieces;
};

void AddDense(const TensorSpec& tensor, const std::map<uint64_t, Fragments>& chunks,
              std::map<std::string, Exported>* exported) {
  Exported& whole = (*exported)[tensor.name()];
  whole.tensor = {tensor.name(), "F32", {tensor.shape().begin(), tensor.shape().end()}};
  for (const auto& [begin, chunk] : chunks) whole.pieces.push_back(chunk);
}

// The keys, and the rows under them as float32, slot by slot.
absl::Status AddTable(const TensorSpec& tensor, const std::map<uint64_t, Fragments>& slots,
                      std::map<std::string, Exported>* exported) {
  SYNCLINE_ASSIGN_OR_RETURN(const RowFormat format, FormatOf(tensor.table()));
  auto keys = std::make_shared<std::vector<uint64_t>>();
  auto rows = std::make_shared<std::vector<float>>();
  std::vector<char> row(format.stride());
  for (const auto& [slot, stored] : slots) {
    if (stored.size() % format.stride() != 0) {
      return absl::DataLossError(absl::StrCat("slot ", slot, " of table ", tensor.name(), " has ", stored.size(),
                                              " bytes, which are no rows of ", format.stride()));
    }
    FloatReader reader(stored);
    for (size_t left = stored.size() / format.stride(); left > 0; --left) {
      reader.Copy(format.stride(), row.data());
      keys->push_back(RowFormat::Key(row.data()));
      rows->resize(rows->size() + format.dim());
      format.ReadWeights(row.data(), rows->data() + rows->size() - format.dim());
    }
  }
  const uint64_t count = keys->size();
  const std::string key_name = tensor.name() + ".keys", row_name = tensor.name() + ".rows";
  (*exported)[key_name] = {{key_name, "U64", {count}},
                           {Fragments::Of(keys->data(), count * sizeof(uint64_t), keys)}};
  (*exported)[row_name] = {{row_name, "F32", {count, format.dim()}},
                           {Fragments::Of(rows->data(), rows->size() * sizeof(float), rows)}};
  return absl::OkStatus();
}

absl::Status WriteWeights(FileSystem& files, const std::string& path,
                          const CheckpointManifest& manifest, const Weights& weights) {
  std::map<std::string, Exported> exported;
  for (const TensorSpec& tensor : manifest.map().tensors()) {
    if (IsTable(tensor)) {
      SYNCLINE_RETURN_IF_ERROR(AddTable(tensor, weights.at(tensor.name()), &exported));
    } else {
      AddDense(tensor, weights.at(tensor.name()), &exported);
    }
  }
  std::vector<SafetensorsTensor> tensors;
  for (const auto& [name, one] : exported) tensors.push_back(one.tensor);
  SYNCLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SafetensorsWriter> writer,
      SafetensorsWriter::Create(
          files, path, std::move(tensors),
          {{"job", manifest.job().name()}, {"step", absl::StrCat(manifest.step())}}));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    for (const Fragments& part : exported.at(tensor.name).pieces) {
      for (const Fragments::Piece& piece : part.pieces()) {
        SYNCLINE_RETURN_IF_ERROR(writer->Append({piece.data, piece.size}));
      }
    }
  }
  return writer->Finish().status();
}

}  // namespace

absl::Status ExportCheckpoint(FileSystem& files, const std::string& folder, const std::string& to) {
  SYNCLINE_ASSIGN_OR_RETURN(const CheckpointManifest manifest,
                            ReadCheckpointManifest(files, folder));
  SYNCLINE_ASSIGN_OR_RETURN(const Weights weights, ReadWeights(files, folder, manifest));
  const std::string unfinished = to + ".tmp";
  if (const absl::Status status = WriteWeights(files, unfinished, manifest, weights);
      !status.ok()) {
    files.RemoveFile(unfinished).IgnoreError();
    return Naming(to, status);
  }
  SYNCLINE_RETURN_IF_ERROR(Naming(to, files.Rename(unfinished, to)));
  return files.SyncFolder(ParentFolder(to));
}

}  // namespace syncline
