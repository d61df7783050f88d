#include "server/durability/shard_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/io/file_sum.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "server/durability/checkpoint_manifest.h"

namespace syncline {
namespace {

// Size first, so that a short file is not taken for a garbled one.
absl::Status CheckSum(FileSystem& files, const std::string& path, const CheckpointFile& expected) {
  const auto file = files.Open(path);
  if (file.status().code() == absl::StatusCode::kNotFound) return DamagedCheckpoint(path, "is missing");
  SYNCLINE_RETURN_IF_ERROR(Naming(path, file.status()));
  if ((*file)->size() != expected.bytes()) {
    return DamagedCheckpoint(path,
                             absl::StrCat("has ", (*file)->size(), " bytes, and should have ", expected.bytes()));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const FileSum sum, SumUp(files, path));
  if (sum.crc32c == expected.crc32c()) return absl::OkStatus();
  return DamagedCheckpoint(
      path, absl::StrFormat("has the checksum %08x, and should have %08x", sum.crc32c, expected.crc32c()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<const ShardFile>> ShardFile::Open(FileSystem& files, const std::string& folder,
                                                                 const CheckpointFile& file) {
  const std::string path = folder + "/" + file.name();
  ShardFileId id;
  if (!ParseShardFileName(file.name(), &id)) return DamagedCheckpoint(path, "is no name of a shard's file");
  SYNCLINE_RETURN_IF_ERROR(CheckSum(files, path, file));
  auto reader = SafetensorsReader::Open(files, path);
  if (!reader.ok()) return DamagedCheckpoint(path, std::string(reader.status().message()));
  std::unique_ptr<ShardFile> opened(new ShardFile(path, id, *std::move(reader)));
  for (const SafetensorsTensor& tensor : opened->reader_->tensors()) opened->tensors_[tensor.name] = &tensor;
  SYNCLINE_RETURN_IF_ERROR(opened->ReadTables());
  return opened;
}

absl::Status ShardFile::Damaged(const std::string& how) const { return DamagedCheckpoint(path_, how); }

const ShardFile::Listed* ShardFile::Find(uint32_t chunk) const {
  const auto found = chunks_.find(chunk);
  return found == chunks_.end() ? nullptr : &found->second;
}

absl::Status ShardFile::Read(const SafetensorsTensor& tensor, const char* dtype, Fragments* to) const {
  if (tensor.dtype != dtype) return Damaged(absl::StrCat(tensor.name, " is ", tensor.dtype, ", and should be ", dtype));
  *to = Fragments();
  if (tensor.bytes() == 0) return absl::OkStatus();
  Buffer buffer = Buffer::Allocate(tensor.bytes());
  SYNCLINE_RETURN_IF_ERROR(Naming(path_, reader_->Read(tensor, 0, tensor.bytes(), buffer.data())));
  *to = buffer.Share();
  return absl::OkStatus();
}

absl::StatusOr<bool> ShardFile::Read(const std::string& prefix, const std::string& id, const char* dtype,
                                     Fragments* to) const {
  const auto found = tensors_.find(absl::StrCat(prefix, "/", id));
  if (found == tensors_.end()) return false;
  SYNCLINE_RETURN_IF_ERROR(Read(*found->second, dtype, to));
  return true;
}

absl::StatusOr<std::vector<uint64_t>> ShardFile::ReadTable(const char* name, uint64_t columns) const {
  std::vector<uint64_t> cells;
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return cells;
  const SafetensorsTensor& tensor = *found->second;
  if (tensor.dtype != "U64" || tensor.shape.size() != 2 || tensor.shape[1] != columns) {
    return Damaged(absl::StrCat(name, " is not U64 [n, ", columns, "]"));
  }
  cells.resize(tensor.bytes() / sizeof(uint64_t));
  SYNCLINE_RETURN_IF_ERROR(
      Naming(path_, reader_->Read(tensor, 0, tensor.bytes(), reinterpret_cast<char*>(cells.data()))));
  return cells;
}

absl::Status ShardFile::ReadTables() {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> chunks, ReadTable(kChunksTensor, 2));
  for (size_t i = 0; i < chunks.size(); i += 2) chunks_[chunks[i]].version = chunks[i + 1];
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> applied, ReadTable(kAppliedTensor, 4));
  for (size_t i = 0; i < applied.size(); i += 4) {
    chunks_[applied[i]].applied.push_back({static_cast<Rank>(applied[i + 1]), applied[i + 2], applied[i + 3]});
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> below, ReadTable(kBelowTensor, 2));
  for (size_t i = 0; i < below.size(); i += 2) {
    if (below[i + 1] >= id_.layer) return Damaged("what is not in it would have to be in itself or above");
    chunks_[below[i]].below = static_cast<uint32_t>(below[i + 1]);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<WorkerState>> ShardFile::ReadWorkers(const std::map<std::string, uint32_t>& chunks) const {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<uint64_t> table, ReadTable(kWorkersTensor, 3));
  std::map<Rank, WorkerState> workers;
  for (size_t i = 0; i < table.size(); i += 3) {
    WorkerState& worker = workers[static_cast<Rank>(table[i])];
    worker.rank = static_cast<Rank>(table[i]);
    worker.clock = table[i + 1];
    worker.updates = table[i + 2];
  }
  for (const auto& [name, tensor] : tensors_) {
    const size_t slash = name.find('/');
    uint32_t rank = 0, slot = 0;
    if (slash == std::string::npos || !ParseWorkerPrefix(absl::string_view(name).substr(0, slash), &rank, &slot)) {
      continue;
    }
    const auto chunk = chunks.find(name.substr(slash + 1));
    const auto worker = workers.find(rank);
    if (chunk == chunks.end() || worker == workers.end()) continue;
    SYNCLINE_RETURN_IF_ERROR(Read(*tensor, "F32", &worker->second.slots[{chunk->second, slot}]));
  }
  std::vector<WorkerState> carried;
  for (auto& [rank, worker] : workers) carried.push_back(std::move(worker));
  return carried;
}

}  // namespace syncline
