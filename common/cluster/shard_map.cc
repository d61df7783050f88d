#include "common/cluster/shard_map.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/tables.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr uint64_t kMaxElements = uint64_t{1} << 40;
constexpr uint64_t kChunkUnit = 4096;
constexpr uint32_t kMaxReplicas = 3;

absl::Status ValidateTable(const TensorSpec& tensor) {
  const Table& table = tensor.table();
  const bool fits = table.dim() > 0 && table.dim() <= kMaxRowElements && table.slots() > 0 &&
                    table.slots() <= kMaxTableSlots;
  if (fits && tensor.shape().empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("table ", tensor.name(), ": ", table.dim(), " elements a row and ", table.slots(),
                   " slots; give it 1 to ", kMaxRowElements, " and 1 to ", kMaxTableSlots, ", and no shape"));
}

absl::Status ValidateTensor(const TensorSpec& tensor) {
  if (tensor.name().empty() || tensor.name().size() > 255) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor name \"", tensor.name(), "\" has ", tensor.name().size(),
                     " bytes; give it 1 to 255"));
  }
  if (IsTable(tensor)) return ValidateTable(tensor);
  uint64_t elements = 1;
  for (uint64_t size : tensor.shape()) {
    if (size == 0 || size > kMaxElements / elements) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", tensor.name(), ": shape holds ", size,
                       "; each size must be at least 1 and their product at most 2^40"));
    }
    elements *= size;
  }
  if (!std::isfinite(tensor.initializer().a()) || !std::isfinite(tensor.initializer().b())) {
    return absl::InvalidArgumentError(
        absl::StrCat("tensor ", tensor.name(), ": initializer holds a number that is not finite"));
  }
  return absl::OkStatus();
}

absl::Status ValidateChunkBytes(uint64_t chunk_bytes) {
  if (chunk_bytes == 0 || chunk_bytes % kChunkUnit != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "chunk_bytes: ", chunk_bytes, " is not a positive multiple of ", kChunkUnit));
  }
  return absl::OkStatus();
}

// After the owners.
absl::Status ValidateBackups(const ShardMap& map) {
  if (map.replicas() > kMaxReplicas || map.backup_size() != BackupsEach(map) * map.owner_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("shard map: ", map.backup_size(), " backups for ", map.owner_size(),
                     " chunks with ", map.replicas(), " replicas of each, of at most ", kMaxReplicas));
  }
  for (uint32_t chunk = 0; chunk < static_cast<uint32_t>(map.owner_size()); ++chunk) {
    std::vector<uint32_t> backups = Backups(map, chunk);
    std::sort(backups.begin(), backups.end());
    const bool twice = std::adjacent_find(backups.begin(), backups.end()) != backups.end();
    if (twice || (!backups.empty() && backups.back() >= static_cast<uint32_t>(map.shards_size()))) {
      return absl::InvalidArgumentError(
          absl::StrCat("shard map: the copies of chunk ", chunk, " are on shards ",
                       absl::StrJoin(backups, ", "), " of ", map.shards_size(),
                       "; each must be on another one"));
    }
  }
  return absl::OkStatus();
}

uint64_t ChunkCount(const TensorSpec& tensor, uint64_t chunk_bytes) {
  if (IsTable(tensor)) return tensor.table().slots();
  const uint64_t limit = chunk_bytes / sizeof(float);
  return (ElementCount(tensor) + limit - 1) / limit;
}

void AssignOwners(const std::vector<ChunkUnit>& units, ShardMap& map) {
  std::vector<size_t> order(units.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return units[a].elements > units[b].elements;
  });
  std::vector<uint64_t> load(map.shards_size(), 0);
  for (size_t i : order) {
    const auto lightest = std::min_element(load.begin(), load.end());
    *lightest += units[i].elements;
    for (uint32_t c = 0; c < units[i].count; ++c) {
      map.set_owner(units[i].first + c, static_cast<uint32_t>(lightest - load.begin()));
    }
  }
}

}  // namespace

uint64_t ElementCount(const TensorSpec& tensor) {
  return std::accumulate(tensor.shape().begin(), tensor.shape().end(), uint64_t{1},
                         [](uint64_t product, uint64_t size) { return product * size; });
}

absl::Status ValidateTensors(absl::Span<const TensorSpec> tensors) {
  if (tensors.empty()) return absl::InvalidArgumentError("tensors: a model has at least one");
  absl::flat_hash_set<std::string> names;
  for (const TensorSpec& tensor : tensors) {
    SYNCLINE_RETURN_IF_ERROR(ValidateTensor(tensor));
    if (!names.insert(tensor.name()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("tensor ", tensor.name(), " is declared twice; names must differ"));
    }
  }
  return absl::OkStatus();
}

std::vector<ChunkInfo> Chunks(const ShardMap& map) {
  const uint64_t limit = map.chunk_bytes() / sizeof(float);
  std::vector<ChunkInfo> chunks;
  for (int t = 0; t < map.tensors_size(); ++t) {
    if (IsTable(map.tensors(t))) {
      for (uint64_t slot = 0; slot < map.tensors(t).table().slots(); ++slot) {
        chunks.push_back({static_cast<uint32_t>(chunks.size()), static_cast<uint32_t>(t), slot, limit, true});
      }
      continue;
    }
    const uint64_t total = ElementCount(map.tensors(t));
    for (uint64_t begin = 0; begin < total; begin += limit) {
      chunks.push_back({static_cast<uint32_t>(chunks.size()), static_cast<uint32_t>(t), begin,
                        std::min(limit, total - begin)});
    }
  }
  return chunks;
}

std::vector<ChunkUnit> ChunkUnits(const std::vector<ChunkInfo>& chunks, bool keep_tensors_whole) {
  std::vector<ChunkUnit> units;
  for (const ChunkInfo& chunk : chunks) {
    const bool joins = keep_tensors_whole && chunk.begin > 0 && !chunk.rows;
    if (!joins) units.push_back({chunk.id, 0, 0});
    units.back().count += 1;
    units.back().elements += chunk.elements;
  }
  return units;
}

bool HasShard(const ShardMap& map, const std::string& address) {
  return std::find(map.shards().begin(), map.shards().end(), address) != map.shards().end();
}

std::vector<std::string> ShardsWithout(const ShardMap& map, const ShardMap& next) {
  std::vector<std::string> without;
  for (const std::string& address : map.shards()) {
    if (!HasShard(next, address)) without.push_back(address);
  }
  return without;
}

ShardMap OnlyShards(const ShardMap& map, const std::vector<bool>& stays) {
  ShardMap last = map;
  last.clear_shards();
  std::vector<uint32_t> place(stays.size());
  for (size_t shard = 0; shard < stays.size(); ++shard) {
    place[shard] = static_cast<uint32_t>(last.shards_size());
    if (stays[shard]) last.add_shards(map.shards(static_cast<int>(shard)));
  }
  for (uint32_t& owner : *last.mutable_owner()) owner = place[owner];
  for (uint32_t& backup : *last.mutable_backup()) backup = place[backup];
  return last;
}

std::vector<uint32_t> OwnedChunks(const ShardMap& map, uint32_t shard) {
  std::vector<uint32_t> owned;
  for (int chunk = 0; chunk < map.owner_size(); ++chunk) {
    if (map.owner(chunk) == shard) owned.push_back(static_cast<uint32_t>(chunk));
  }
  return owned;
}

int BackupsEach(const ShardMap& map) { return static_cast<int>(std::max(map.replicas(), 1u)) - 1; }

std::vector<uint32_t> Backups(const ShardMap& map, uint32_t chunk) {
  std::vector<uint32_t> backups;
  const int each = BackupsEach(map);
  const int first = static_cast<int>(chunk) * each;
  for (int i = first; i < first + each; ++i) {
    if (map.backup(i) != map.owner(static_cast<int>(chunk))) backups.push_back(map.backup(i));
  }
  return backups;
}

bool IsBackup(const ShardMap& map, uint32_t chunk, uint32_t shard) {
  const std::vector<uint32_t> backups = Backups(map, chunk);
  return std::find(backups.begin(), backups.end(), shard) != backups.end();
}

std::vector<uint32_t> HeldChunks(const ShardMap& map, uint32_t shard) {
  std::vector<uint32_t> held;
  for (uint32_t chunk = 0; chunk < static_cast<uint32_t>(map.owner_size()); ++chunk) {
    if (map.owner(static_cast<int>(chunk)) == shard || IsBackup(map, chunk, shard)) {
      held.push_back(chunk);
    }
  }
  return held;
}

absl::StatusOr<ShardMap> MakeShardMap(absl::Span<const TensorSpec> tensors,
                                      absl::Span<const std::string> addresses,
                                      uint64_t chunk_bytes, bool keep_tensors_whole,
                                      uint64_t epoch) {
  SYNCLINE_RETURN_IF_ERROR(ValidateTensors(tensors));
  SYNCLINE_RETURN_IF_ERROR(ValidateChunkBytes(chunk_bytes));
  if (addresses.empty()) return absl::InvalidArgumentError("shards: there must be at least one");
  ShardMap map;
  map.set_epoch(epoch);
  map.set_chunk_bytes(chunk_bytes);
  map.mutable_tensors()->Assign(tensors.begin(), tensors.end());
  map.mutable_shards()->Assign(addresses.begin(), addresses.end());
  const std::vector<ChunkInfo> chunks = Chunks(map);
  map.mutable_owner()->Resize(static_cast<int>(chunks.size()), 0);
  AssignOwners(ChunkUnits(chunks, keep_tensors_whole), map);
  return map;
}

absl::Status ValidateShardMap(const ShardMap& map) {
  const std::vector<TensorSpec> tensors(map.tensors().begin(), map.tensors().end());
  SYNCLINE_RETURN_IF_ERROR(ValidateTensors(tensors));
  SYNCLINE_RETURN_IF_ERROR(ValidateChunkBytes(map.chunk_bytes()));
  uint64_t chunks = 0;
  for (const TensorSpec& tensor : tensors) chunks += ChunkCount(tensor, map.chunk_bytes());
  if (chunks != static_cast<uint64_t>(map.owner_size())) {
    return absl::InvalidArgumentError(absl::StrCat("shard map: ", map.owner_size(),
                                                   " owners for ", chunks, " chunks"));
  }
  for (int i = 0; i < map.owner_size(); ++i) {
    if (map.owner(i) >= static_cast<uint32_t>(map.shards_size())) {
      return absl::InvalidArgumentError(absl::StrCat("shard map: chunk ", i, " belongs to shard ",
                                                     map.owner(i), " of ", map.shards_size()));
    }
  }
  return ValidateBackups(map);
}

std::vector<uint64_t> ShardBytes(const ShardMap& map) {
  std::vector<uint64_t> bytes(map.shards_size(), 0);
  for (const ChunkInfo& chunk : Chunks(map)) {
    bytes[map.owner(static_cast<int>(chunk.id))] += chunk.elements * sizeof(float);
  }
  return bytes;
}

}  // namespace syncline
