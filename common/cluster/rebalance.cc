#include "common/cluster/rebalance.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "absl/algorithm/container.h"
#include "common/cluster/copy_places.h"
#include "common/cluster/shard_map.h"

namespace syncline {
namespace {

struct Move {
  ChunkUnit unit;
  uint32_t from = 0;
  uint32_t to = 0;
};

uint64_t Bytes(const ChunkUnit& unit) { return unit.elements * sizeof(float); }

// `map` with the shards at `addresses` that it lacks, and which of its shards stay.
ShardMap WithAll(const ShardMap& map, absl::Span<const std::string> addresses,
                 std::vector<bool>* stays) {
  ShardMap all = map;
  for (const std::string& address : addresses) {
    if (!HasShard(all, address)) all.add_shards(address);
  }
  for (const std::string& address : all.shards()) stays->push_back(absl::c_linear_search(addresses, address));
  // One that was lost and has come again is heard again.
  auto* const lost = all.mutable_lost();
  lost->erase(std::remove_if(lost->begin(), lost->end(),
                             [&](const std::string& address) {
                               return absl::c_linear_search(addresses, address);
                             }),
              lost->end());
  return all;
}

// Takes from each shard what it has too much of, the largest first, and gives that to the lightest.
// Where the same shards stay, one with up to `full` times its share keeps all.
std::vector<Move> PlanMoves(const ShardMap& map, const std::vector<bool>& stays,
                            const std::vector<ChunkUnit>& units, double full) {
  std::vector<std::vector<ChunkUnit>> owned(map.shards_size());
  std::vector<uint64_t> load(map.shards_size());
  uint64_t total = 0;
  for (const ChunkUnit& unit : units) {
    const uint32_t owner = map.owner(static_cast<int>(unit.first));
    owned[owner].push_back(unit);
    load[owner] += Bytes(unit);
    total += Bytes(unit);
  }
  const uint64_t mean = total / static_cast<uint64_t>(std::count(stays.begin(), stays.end(), true));
  const auto larger = [](const ChunkUnit& a, const ChunkUnit& b) { return a.elements > b.elements; };
  std::vector<Move> moves;
  for (uint32_t shard = 0; shard < owned.size(); ++shard) {
    std::stable_sort(owned[shard].begin(), owned[shard].end(), larger);
    const uint64_t share = stays[shard] ? mean : 0;
    const auto most = static_cast<uint64_t>(full * static_cast<double>(share));
    for (const ChunkUnit& unit : owned[shard]) {
      if (stays[shard] && load[shard] <= std::max(most, share + (Bytes(unit) + 1) / 2)) continue;
      if (stays[shard] && load[shard] <= share) break;
      load[shard] -= Bytes(unit);
      moves.push_back({unit, shard, 0});
    }
  }
  std::stable_sort(moves.begin(), moves.end(), [&](const Move& a, const Move& b) {
    return larger(a.unit, b.unit);
  });
  for (Move& move : moves) {
    for (uint32_t shard = 0; shard < load.size(); ++shard) {
      if (stays[shard] && (!stays[move.to] || load[shard] < load[move.to])) move.to = shard;
    }
    load[move.to] += Bytes(move.unit);
  }
  moves.erase(std::remove_if(moves.begin(), moves.end(),
                             [](const Move& move) { return move.from == move.to; }),
              moves.end());
  return moves;
}

// Every shard that gives sends a part of each batch, so that they work side by side.
std::vector<Move> TakingTurns(const std::vector<Move>& moves) {
  std::map<uint32_t, std::vector<Move>> by_source;
  for (const Move& move : moves) by_source[move.from].push_back(move);
  std::vector<Move> order;
  for (size_t i = 0; order.size() < moves.size(); ++i) {
    for (const auto& [source, list] : by_source) {
      if (i < list.size()) order.push_back(list[i]);
    }
  }
  return order;
}

void PlaceCopies(const std::vector<bool>& stays, const std::vector<ChunkUnit>& units, ShardMap* map) {
  CopyPlaces copies(*map, stays, units);
  copies.Complete();
  copies.Even();
  copies.WriteTo(map);
}

// Gives `unit` the owner and the copies that it has in `from`.
void CopyUnit(const ChunkUnit& unit, const ShardMap& from, ShardMap* to) {
  const int each = BackupsEach(from);
  for (int c = static_cast<int>(unit.first); c < static_cast<int>(unit.first + unit.count); ++c) {
    to->set_owner(c, from.owner(c));
    for (int i = c * each; i < (c + 1) * each; ++i) to->set_backup(i, from.backup(i));
  }
}

bool SameCopies(const ShardMap& a, const ShardMap& b, uint32_t chunk) {
  std::vector<uint32_t> in_a = Backups(a, chunk), in_b = Backups(b, chunk);
  std::sort(in_a.begin(), in_a.end());
  std::sort(in_b.begin(), in_b.end());
  return in_a == in_b;
}

// How many addresses a chunk travels to: of its owner and of its copies, where they are others than before.
uint64_t Travels(const ShardMap& from, const ShardMap& to, uint32_t chunk) {
  const int id = static_cast<int>(chunk);
  uint64_t travels = from.shards(from.owner(id)) != to.shards(to.owner(id));
  std::vector<std::string> had;
  for (const uint32_t shard : Backups(from, chunk)) had.push_back(from.shards(static_cast<int>(shard)));
  for (const uint32_t shard : Backups(to, chunk)) {
    travels += !absl::c_linear_search(had, to.shards(static_cast<int>(shard)));
  }
  return travels;
}

uint64_t TravelBytes(const ChunkUnit& unit, const ShardMap& from, const ShardMap& to) {
  return Travels(from, to, unit.first) * Bytes(unit);
}

// With the epoch that follows.
void AddMap(ShardMap added, std::vector<ShardMap>* maps, uint64_t epoch) {
  maps->push_back(std::move(added));
  maps->back().set_epoch(epoch + maps->size());
}

// The maps from `map` to where the units have moved and every copy has its place, batch by batch.
std::vector<ShardMap> MapsThrough(const ShardMap& map, const std::vector<bool>& stays,
                                  const std::vector<ChunkUnit>& units, const std::vector<Move>& moves,
                                  const RebalanceOptions& options) {
  ShardMap next = map, balanced = map;
  std::vector<ChunkUnit> travellers;
  std::set<uint32_t> moved;
  for (const Move& move : TakingTurns(moves)) {
    for (uint32_t c = 0; c < move.unit.count; ++c) {
      balanced.set_owner(static_cast<int>(move.unit.first + c), move.to);
    }
    travellers.push_back(move.unit);
    moved.insert(move.unit.first);
  }
  PlaceCopies(stays, units, &balanced);
  for (const ChunkUnit& unit : units) {
    const bool stayed = moved.count(unit.first) == 0;
    if (stayed && !SameCopies(map, balanced, unit.first)) travellers.push_back(unit);
  }
  std::vector<ShardMap> maps;
  uint64_t bytes = 0;
  for (size_t i = 0; i < travellers.size(); ++i) {
    bytes += TravelBytes(travellers[i], next, balanced);
    CopyUnit(travellers[i], balanced, &next);
    const bool full =
        i + 1 == travellers.size() ||
        bytes + TravelBytes(travellers[i + 1], next, balanced) > options.batch_bytes;
    if (!full) continue;
    AddMap(next, &maps, map.epoch());
    bytes = 0;
  }
  return maps;
}

}  // namespace

std::vector<ShardMap> PlanRebalance(const ShardMap& map, absl::Span<const std::string> addresses,
                                    const RebalanceOptions& options) {
  std::vector<bool> stays;
  const ShardMap all = WithAll(map, addresses, &stays);
  const bool joins = all.shards_size() > map.shards_size();
  const bool leaves = std::find(stays.begin(), stays.end(), false) != stays.end();
  const std::vector<ChunkUnit> units = ChunkUnits(Chunks(map), options.keep_tensors_whole);
  const auto moves = PlanMoves(all, stays, units, joins || leaves ? 1 : options.full);
  std::vector<ShardMap> maps = MapsThrough(all, stays, units, moves, options);
  if (maps.empty() && joins) AddMap(all, &maps, map.epoch());
  if (leaves) AddMap(OnlyShards(maps.empty() ? all : maps.back(), stays), &maps, map.epoch());
  return maps;
}

std::vector<ShardMap> PlanOwners(const ShardMap& map, const std::vector<uint32_t>& owners,
                                 const RebalanceOptions& options) {
  const std::vector<ChunkUnit> units = ChunkUnits(Chunks(map), options.keep_tensors_whole);
  std::vector<Move> moves;
  for (const ChunkUnit& unit : units) {
    const uint32_t from = map.owner(static_cast<int>(unit.first));
    if (owners[unit.first] != from) moves.push_back({unit, from, owners[unit.first]});
  }
  return MapsThrough(map, std::vector<bool>(map.shards_size(), true), units, moves, options);
}

void PlaceCopies(bool keep_tensors_whole, ShardMap* map) {
  map->mutable_backup()->Clear();
  const int each = BackupsEach(*map);
  for (const uint32_t owner : map->owner()) {
    for (int i = 0; i < each; ++i) map->add_backup(owner);
  }
  PlaceCopies(std::vector<bool>(map->shards_size(), true),
              ChunkUnits(Chunks(*map), keep_tensors_whole), map);
}

uint64_t MovedBytes(const ShardMap& from, const ShardMap& to) {
  uint64_t bytes = 0;
  for (const ChunkInfo& chunk : Chunks(from)) {
    bytes += Travels(from, to, chunk.id) * chunk.elements * sizeof(float);
  }
  return bytes;
}

}  // namespace syncline
