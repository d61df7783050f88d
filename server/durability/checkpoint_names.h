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

inline constexpr uint32_t kCheckpointFormat = 1;

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

// "shard-00003.safetensors"
std::string ShardFileName(uint32_t shard);

// Tensors of a shard's file. U64 [chunks, 2]: chunk, version.
inline constexpr char kChunksTensor[] = "chunks";
// U64 [n, 4]: chunk, rank, incarnation, next.
inline constexpr char kAppliedTensor[] = "applied";
// Only where workers carry state. U64 [n, 3]: rank, clock, updates.
inline constexpr char kWorkersTensor[] = "workers";
// A chunk's bytes are "weights/ID" and "state.K/ID" for each slot K, F32, where ID is the chunk's
// tensor and first element: "linear0.weight@65536". Names of tensors may hold any character, so a
// reader compares whole names and splits none of them but at the first slash.
inline constexpr char kWeights[] = "weights";
// A table's slot is "rows/TABLE@SLOT" instead, U8: its rows one after the other, as server/store/row_format lays them out.
inline constexpr char kRows[] = "rows";
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
