#include "server/durability/shard_file.h"

#include <map>
#include <memory>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/cluster/shard_map.h"
#include "common/io/safetensors_scan.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "server/durability/checkpoint_names.h"

namespace syncline {
namespace {

// More than any optimizer has.
constexpr size_t kMaxSlots = 16;

absl::Status Damaged(const std::string& path, const std::string& how) {
  return absl::DataLossError(
      absl::StrCat(path, ": ", how, "; the checkpoint is damaged, restore another one"));
}

// Gathers what a scan passes by.
class ShardFileContents {
 public:
  ShardFileContents(const ShardMap& map, const std::vector<uint32_t>& wanted, bool with_state)
      : with_state_(with_state) {
    const std::vector<ChunkInfo> infos = Chunks(map);
    for (uint32_t chunk : wanted) {
      Entry& entry = entries_[ChunkId(map, infos[chunk])];
      entry.rows = infos[chunk].rows;
      entry.bytes = infos[chunk].elements * sizeof(float);
      entry.chunk.chunk = chunk;
      by_chunk_[chunk] = &entry;
    }
  }

  absl::StatusOr<char*> Place(const SafetensorsTensor& tensor) {
    if (tensor.name == kChunksTensor) return PlaceTable(tensor, 2, &chunks_);
    if (tensor.name == kAppliedTensor) return PlaceTable(tensor, 4, &applied_);
    if (tensor.name == kWorkersTensor) return PlaceTable(tensor, 3, &worker_table_);
    const size_t slash = tensor.name.find('/');
    if (slash == std::string::npos) return nullptr;
    const auto found = entries_.find(tensor.name.substr(slash + 1));
    if (found == entries_.end()) return nullptr;
    Entry& entry = found->second;
    absl::string_view part = absl::string_view(tensor.name).substr(0, slash);
    if (part == (entry.rows ? kRows : kWeights)) {
      entry.found = true;
      return entry.rows ? PlaceRows(tensor, &entry.chunk.weights)
                        : PlaceFloats(tensor, entry.bytes, &entry.chunk.weights);
    }
    uint32_t rank = 0, worker_slot = 0;
    if (with_state_ && ParseWorkerPrefix(part, &rank, &worker_slot)) {
      return PlaceFloats(tensor, entry.bytes,
                         &worker_slots_[rank][{entry.chunk.chunk, worker_slot}]);
    }
    size_t slot = 0;
    if (!with_state_ || !absl::ConsumePrefix(&part, "state.") || !absl::SimpleAtoi(part, &slot) ||
        slot >= kMaxSlots) {
      return nullptr;
    }
    if (entry.chunk.state.size() <= slot) entry.chunk.state.resize(slot + 1);
    return PlaceFloats(tensor, entry.bytes, &entry.chunk.state[slot]);
  }

  // After the scan: the chunks, or which is not whole.
  absl::StatusOr<ShardFilePart> Take() {
    ReadTables();
    ShardFilePart taken;
    for (size_t i = 0; with_state_ && i < worker_table_.size(); i += 3) {
      WorkerState& worker = taken.workers.emplace_back();
      worker.rank = static_cast<Rank>(worker_table_[i]);
      worker.clock = worker_table_[i + 1];
      worker.updates = worker_table_[i + 2];
      worker.slots = std::move(worker_slots_[worker.rank]);
    }
    for (auto& [chunk, entry] : by_chunk_) {
      bool whole = entry->listed && entry->found;
      for (const Fragments& slot : entry->chunk.state) whole = whole && !slot.empty();
      if (!whole) return absl::DataLossError(absl::StrCat("chunk ", chunk, " is not in it"));
      taken.chunks.push_back(std::move(entry->chunk));
    }
    return taken;
  }

 private:
  struct Entry {
    // A table's slot: it has as many bytes as it has.
    bool rows = false;
    uint64_t bytes = 0;
    bool listed = false, found = false;
    ChunkSnapshot chunk;
  };

  static absl::StatusOr<char*> PlaceFloats(const SafetensorsTensor& tensor, uint64_t bytes,
                                           Fragments* to) {
    if (tensor.dtype != "F32" || tensor.bytes() != bytes) {
      return absl::DataLossError(absl::StrFormat("%s has %d bytes of %s, and should have %d of F32",
                                                 tensor.name, tensor.bytes(), tensor.dtype, bytes));
    }
    Buffer buffer = Buffer::Allocate(bytes);
    *to = buffer.Share();
    return buffer.data();  // lives on in *to
  }

  static absl::StatusOr<char*> PlaceRows(const SafetensorsTensor& tensor, Fragments* to) {
    if (tensor.dtype != "U8") return absl::DataLossError(absl::StrCat(tensor.name, " is not U8"));
    if (tensor.bytes() == 0) return nullptr;
    Buffer buffer = Buffer::Allocate(tensor.bytes());
    *to = buffer.Share();
    return buffer.data();  // lives on in *to
  }

  static absl::StatusOr<char*> PlaceTable(const SafetensorsTensor& tensor, uint64_t columns,
                                          std::vector<uint64_t>* to) {
    if (tensor.dtype != "U64" || tensor.shape.size() != 2 || tensor.shape[1] != columns) {
      return absl::DataLossError(absl::StrCat(tensor.name, " is not U64 [n, ", columns, "]"));
    }
    to->resize(tensor.bytes() / sizeof(uint64_t));
    return reinterpret_cast<char*>(to->data());
  }

  void ReadTables() {
    for (size_t i = 0; i < chunks_.size(); i += 2) {
      const auto found = by_chunk_.find(chunks_[i]);
      if (found == by_chunk_.end()) continue;
      found->second->listed = true;
      found->second->chunk.version = chunks_[i + 1];
    }
    for (size_t i = 0; with_state_ && i < applied_.size(); i += 4) {
      const auto found = by_chunk_.find(applied_[i]);
      if (found == by_chunk_.end()) continue;
      found->second->chunk.applied.push_back(
          {static_cast<Rank>(applied_[i + 1]), applied_[i + 2], applied_[i + 3]});
    }
  }

  const bool with_state_;
  std::map<std::string, Entry> entries_;
  std::map<uint64_t, Entry*> by_chunk_;
  std::vector<uint64_t> chunks_;
  std::vector<uint64_t> applied_;
  std::vector<uint64_t> worker_table_;
  std::map<Rank, decltype(WorkerState::slots)> worker_slots_;
};

// Before anything of it is read, so that a short file is not taken for a garbled one.
absl::Status CheckSize(FileSystem& files, const std::string& path, uint64_t bytes) {
  const auto file = files.Open(path);
  if (file.status().code() == absl::StatusCode::kNotFound) return Damaged(path, "is missing");
  SYNCLINE_RETURN_IF_ERROR(Naming(path, file.status()));
  if ((*file)->size() == bytes) return absl::OkStatus();
  return Damaged(path, absl::StrCat("has ", (*file)->size(), " bytes, and should have ", bytes));
}

}  // namespace

absl::StatusOr<ShardFilePart> ReadShardFile(FileSystem& files, const std::string& folder,
                                            const CheckpointFile& file, const ShardMap& map,
                                            const std::vector<uint32_t>& wanted, bool with_state) {
  const std::string path = folder + "/" + file.name();
  SYNCLINE_RETURN_IF_ERROR(CheckSize(files, path, file.bytes()));
  ShardFileContents contents(map, wanted, with_state);
  const auto scanned = ScanSafetensors(
      files, path, [&](const SafetensorsTensor& tensor) { return contents.Place(tensor); });
  const absl::StatusCode code = scanned.status().code();
  if (code == absl::StatusCode::kInvalidArgument || code == absl::StatusCode::kDataLoss) {
    return Damaged(path, std::string(scanned.status().message()));
  }
  SYNCLINE_RETURN_IF_ERROR(Naming(path, scanned.status()));
  if (scanned->bytes != file.bytes() || scanned->crc32c != file.crc32c()) {
    return Damaged(path, absl::StrFormat("has the checksum %08x, and should have %08x",
                                         scanned->crc32c, file.crc32c()));
  }
  auto part = contents.Take();
  if (!part.ok()) return Damaged(path, std::string(part.status().message()));
  return part;
}

}  // namespace syncline
