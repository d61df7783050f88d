#include "server/durability/layer_plan.h"

#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/status/status.h"
#include "common/status/status_macros.h"
#include "server/durability/changed_rows.h"

namespace syncline {
namespace {

using Part = PlannedChunk::Part;

uint64_t BytesOf(const ChunkSnapshot& chunk) {
  uint64_t bytes = chunk.WeightBytes();
  for (const Fragments& state : chunk.state) bytes += state.size();
  return bytes;
}

uint64_t BytesOf(const PlannedChunk& part) {
  if (part.part == Part::kNone) return 0;
  if (part.part == Part::kAll) return BytesOf(*part.chunk);
  return BytesOf(*part.chunk) - part.chunk->WeightBytes() + part.changed * part.stride +
         part.erased.size() * sizeof(uint64_t);
}

// The last 8 bytes of the counts and of the ages together, as both only grow; 0 where nothing is counted.
uint64_t CountedIn(const PlannedChunk& part) {
  uint64_t counted = 0;
  if (part.stride == 0) return counted;
  for (const Fragments& state : part.chunk->state) {
    if (state.empty()) continue;
    const Fragments::Piece& end = state.pieces().back();
    uint64_t last = 0;
    if (end.size >= sizeof(last)) std::memcpy(&last, end.data + end.size - sizeof(last), sizeof(last));
    counted += last;
  }
  return counted;
}

absl::StatusOr<size_t> RowsChangedAfter(uint64_t version, const PlannedChunk& part) {
  size_t changed = 0;
  SYNCLINE_RETURN_IF_ERROR(ForEachChangedRow(*part.chunk, part.stride, version, [&](const char*) {
    ++changed;
    return absl::OkStatus();
  }));
  return changed;
}

// What of a chunk has to be written if `known` is in other files.
absl::Status LeaveOut(const Layers::Content& known, PlannedChunk* part) {
  const ChunkSnapshot& chunk = *part->chunk;
  const bool counted = CountedIn(*part) != known.counted;
  if (chunk.version == known.version && !counted) {
    part->part = Part::kNone;
  } else if (part->stride > 0 && chunk.erased != nullptr) {
    std::optional<std::vector<uint64_t>> erased = chunk.erased->Since(known.version);
    if (!erased) return absl::OkStatus();
    SYNCLINE_ASSIGN_OR_RETURN(const size_t changed, RowsChangedAfter(known.version, *part));
    const bool none = changed == 0 && erased->empty() && !counted;
    const size_t written = changed * part->stride + erased->size() * sizeof(uint64_t);
    if (!none && 2 * written >= chunk.WeightBytes()) return absl::OkStatus();
    part->part = none ? Part::kNone : Part::kChanged;
    part->since = known.version;
    part->changed = changed;
    part->erased = *std::move(erased);
  } else {
    return absl::OkStatus();
  }
  part->below = known.layers.back();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<LayerPlan> PlanLayer(const Layers& last, std::vector<PlannedChunk> parts) {
  LayerPlan plan;
  std::set<uint32_t> needed;
  uint64_t all = 0, bytes = 0;
  for (PlannedChunk& part : parts) {
    const auto known = last.chunks.find(part.chunk->chunk);
    if (known != last.chunks.end()) SYNCLINE_RETURN_IF_ERROR(LeaveOut(known->second, &part));
    if (part.part != Part::kAll) needed.insert(known->second.layers.begin(), known->second.layers.end());
    all += BytesOf(*part.chunk);
    bytes += BytesOf(part);
  }
  for (const Layers::Layer& layer : last.layers) {
    if (needed.count(layer.number) == 0) continue;
    plan.kept.push_back(layer);
    plan.number = layer.number + 1;
    bytes += layer.file.bytes();
  }
  plan.parts = std::move(parts);
  if (plan.kept.size() < kMostLayers && bytes <= kMostBytes * all + kSlack) return plan;
  LayerPlan everything;
  for (const PlannedChunk& part : plan.parts) {
    everything.parts.push_back({});
    everything.parts.back().chunk = part.chunk;
    everything.parts.back().stride = part.stride;
  }
  return everything;
}

Layers LayersAfter(const Layers& last, const LayerPlan& plan, const CheckpointFile& file) {
  Layers after;
  after.layers = plan.kept;
  after.layers.push_back({plan.number, file});
  for (const PlannedChunk& part : plan.parts) {
    Layers::Content& content = after.chunks[part.chunk->chunk];
    if (part.part != Part::kAll) content.layers = last.chunks.at(part.chunk->chunk).layers;
    if (part.part != Part::kNone) content.layers.push_back(plan.number);
    content.version = part.chunk->version;
    content.counted = CountedIn(part);
  }
  return after;
}

}  // namespace syncline
