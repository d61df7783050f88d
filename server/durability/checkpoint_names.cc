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

std::string ShardFileName(uint32_t shard) {
  return absl::StrFormat("shard-%05d.safetensors", shard);
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
