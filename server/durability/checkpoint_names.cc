#include "server/durability/checkpoint_names.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"

namespace syncline {
namespace {

// Ten digits keep the names sorted for longer than a job lasts; more are fine.
constexpr size_t kStepDigits = 10;

constexpr char kShardFileSuffix[] = ".safetensors";
const char* Prefix(FileKind kind) { return kind == FileKind::kRows ? "rows-" : "shard-"; }

}  // namespace

std::string CheckpointName(uint64_t step) { return absl::StrFormat("step-%010d", step); }

bool ParseCheckpointName(absl::string_view name, uint64_t* step, absl::string_view* suffix) {
  if (!absl::ConsumePrefix(&name, "step-")) return false;
  const size_t digits = static_cast<size_t>(
      std::find_if_not(name.begin(), name.end(), absl::ascii_isdigit) - name.begin());
  *suffix = name.substr(digits);
  return digits >= kStepDigits && absl::SimpleAtoi(name.substr(0, digits), step) &&
         (suffix->empty() || *suffix == kPartial || *suffix == kReplaced);
}

std::string ShardFileName(const ShardFileId& id) {
  const std::string layer = id.layer == 0 ? "" : absl::StrCat(".", id.layer);
  return absl::StrFormat("%s%05d%s%s", Prefix(id.kind), id.shard, layer, kShardFileSuffix);
}

bool ParseShardFileName(absl::string_view name, ShardFileId* id) {
  ShardFileId parsed;
  const absl::string_view whole = name;
  if (!absl::ConsumePrefix(&name, Prefix(FileKind::kDense))) {
    if (!absl::ConsumePrefix(&name, Prefix(FileKind::kRows))) return false;
    parsed.kind = FileKind::kRows;
  }
  if (!absl::ConsumeSuffix(&name, kShardFileSuffix)) return false;
  const size_t dot = name.find('.');
  if (!absl::SimpleAtoi(name.substr(0, dot), &parsed.shard)) return false;
  if (dot != absl::string_view::npos && !absl::SimpleAtoi(name.substr(dot + 1), &parsed.layer)) return false;
  *id = parsed;
  return ShardFileName(parsed) == whole;
}

std::string ChunkId(const ShardMap& map, const ChunkInfo& chunk) {
  return absl::StrCat(map.tensors(static_cast<int>(chunk.tensor)).name(), "@", chunk.begin);
}

std::string StatePrefix(size_t slot) { return absl::StrCat("state.", slot); }

std::string WorkerPrefix(uint32_t rank, uint32_t slot) {
  return absl::StrCat("worker.", rank, ".", slot);
}

bool ParseWorkerPrefix(absl::string_view prefix, uint32_t* rank, uint32_t* slot) {
  if (!absl::ConsumePrefix(&prefix, "worker.")) return false;
  const size_t dot = prefix.find('.');
  return dot != absl::string_view::npos && absl::SimpleAtoi(prefix.substr(0, dot), rank) &&
         absl::SimpleAtoi(prefix.substr(dot + 1), slot);
}

absl::Status Naming(const std::string& path, const absl::Status& status) {
  if (status.ok() || absl::StrContains(status.message(), path)) return status;
  return absl::Status(status.code(), absl::StrCat(path, ": ", status.message()));
}

}  // namespace syncline
