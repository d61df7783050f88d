#ifndef SYNCLINE_SERVER_DURABILITY_CHECKPOINT_NAMES_H_
#define SYNCLINE_SERVER_DURABILITY_CHECKPOINT_NAMES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/cluster/shard_map.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// The names of docs/checkpoint_format.md. Pure functions.

inline constexpr uint32_t kCheckpointFormat = 2;
// What is read.
inline constexpr uint32_t kOldestCheckpointFormat = 1;

inline constexpr char kManifestFile[] = "MANIFEST.json";
// Eight hexadecimal digits: the CRC-32C of MANIFEST.json.
inline constexpr char kManifestSumFile[] = "MANIFEST.crc32c";

// Suffixes of a checkpoint's name: not whole yet (or not any more); whole, and about to be replaced
// by a newer one of the same step.
inline constexpr char kPartial[] = ".partial";
inline constexpr char kReplaced[] = ".replaced";

// "step-0000000042"
std::string CheckpointName(uint64_t step);
// The step and the suffix, which may be empty. False for names that are none of ours.
bool ParseCheckpointName(absl::string_view name, uint64_t* step, absl::string_view* suffix);

// Which of a shard's chunks lie in a file: those of dense tensors, with what workers carry, or slots of tables.
enum class FileKind { kDense, kRows };
// Which of a shard's files it is: layer 0 has all of its chunks, and later ones what changed since a lower one.
struct ShardFileId {
  uint32_t shard = 0;
  FileKind kind = FileKind::kDense;
  uint32_t layer = 0;
};
// "shard-00003.safetensors", "shard-00003.1.safetensors", ..., "rows-00003.safetensors", ...
std::string ShardFileName(const ShardFileId& id);
// False for names that are none of ours.
bool ParseShardFileName(absl::string_view name, ShardFileId* id);

// Tensors of a shard's file. U64 [chunks, 2]: chunk, version.
inline constexpr char kChunksTensor[] = "chunks";
// U64 [n, 2]: chunk, and the layer that has the rest of it; of each that is not whole in the file.
inline constexpr char kBelowTensor[] = "below";
// U64 [n, 4]: chunk, rank, incarnation, next.
inline constexpr char kAppliedTensor[] = "applied";
// Only where workers carry state. U64 [n, 3]: rank, clock, updates.
inline constexpr char kWorkersTensor[] = "workers";
// A chunk's bytes are "weights/ID" and "state.K/ID" for each slot K, F32, where ID is the chunk's
// tensor and first element: "linear0.weight@65536". Names of tensors may hold any character, so a
// reader compares whole names and splits none of them but at the first slash.
inline constexpr char kWeights[] = "weights";
// A table's slot is "rows/TABLE@SLOT" instead, U8: its rows one after the other, as server/store/row_format lays them
// out; or those that changed alone, and U64 [n] the keys of those erased first. Beside either what is counted of keys
// that have no row (server/store/row_admission), and the ages of updates (server/store/update_times), U8.
inline constexpr char kRows[] = "rows";
inline constexpr char kChangedRows[] = "changed";
inline constexpr char kErasedRows[] = "erased";
inline constexpr char kAdmission[] = "admission";
inline constexpr char kAges[] = "ages";
std::string ChunkId(const ShardMap& map, const ChunkInfo& chunk);
std::string StatePrefix(size_t slot);
// What the worker of a rank carries is in "worker.R.K/ID", F32; K is 0 for what its codec holds back.
std::string WorkerPrefix(uint32_t rank, uint32_t slot);
// False for a prefix that is none of these.
bool ParseWorkerPrefix(absl::string_view prefix, uint32_t* rank, uint32_t* slot);

// The same error with `path` in its message, if it is not there yet.
absl::Status Naming(const std::string& path, const absl::Status& status);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_DURABILITY_CHECKPOINT_NAMES_H_
