#include <map>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/io/safetensors.h"
#include "common/status/status_macros.h"
#include "server/durability/checkpoint_names.h"
#include "server/durability/checkpoint_reader.h"

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

absl::Status WriteWeights(FileSystem& files, const std::string& path,
                          const CheckpointManifest& manifest, const Weights& weights) {
  std::vector<SafetensorsTensor> tensors;
  for (const TensorSpec& tensor : manifest.map().tensors()) {
    if (IsTable(tensor)) continue;
    tensors.push_back({tensor.name(), "F32", {tensor.shape().begin(), tensor.shape().end()}});
  }
  SYNCLINE_ASSIGN_OR_RETURN(
      const std::unique_ptr<SafetensorsWriter> writer,
      SafetensorsWriter::Create(
          files, path, std::move(tensors),
          {{"job", manifest.job().name()}, {"step", absl::StrCat(manifest.step())}}));
  for (const SafetensorsTensor& tensor : writer->tensors()) {
    for (const auto& [begin, chunk] : weights.at(tensor.name)) {
      for (const Fragments::Piece& piece : chunk.pieces()) {
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
