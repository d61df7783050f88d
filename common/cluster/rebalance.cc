#include "common/cluster/rebalance.h"

#include <algorithm>
#include <map>
#include <utility>

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
  for (const std::string& address : all.shards()) {
    stays->push_back(std::find(addresses.begin(), addresses.end(), address) != addresses.end());
  }
  return all;
}

// Takes from each shard what it has too much of, the largest first, and gives that to the lightest.
std::vector<Move> PlanMoves(const ShardMap& map, const std::vector<bool>& stays,
                            bool keep_tensors_whole) {
  const std::vector<ChunkUnit> units = ChunkUnits(Chunks(map), keep_tensors_whole);
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
    for (const ChunkUnit& unit : owned[shard]) {
      if (load[shard] < share + (stays[shard] ? (Bytes(unit) + 1) / 2 : 0)) continue;
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

ShardMap WithoutLeavers(const ShardMap& map, const std::vector<bool>& stays) {
  ShardMap last = map;
  last.clear_shards();
  std::vector<uint32_t> place(stays.size());
  for (size_t shard = 0; shard < stays.size(); ++shard) {
    place[shard] = static_cast<uint32_t>(last.shards_size());
    if (stays[shard]) last.add_shards(map.shards(static_cast<int>(shard)));
  }
  for (uint32_t& owner : *last.mutable_owner()) owner = place[owner];
  return last;
}

}  // namespace

std::vector<ShardMap> PlanRebalance(const ShardMap& map, absl::Span<const std::string> addresses,
                                    const RebalanceOptions& options) {
  std::vector<bool> stays;
  ShardMap next = WithAll(map, addresses, &stays);
  const bool joins = next.shards_size() > map.shards_size();
  const bool leaves = std::find(stays.begin(), stays.end(), false) != stays.end();
  const auto moves = TakingTurns(PlanMoves(next, stays, options.keep_tensors_whole));
  std::vector<ShardMap> maps;
  const auto add = [&](const ShardMap& added) {
    maps.push_back(added);
    maps.back().set_epoch(map.epoch() + maps.size());
  };
  uint64_t bytes = 0;
  for (size_t i = 0; i < moves.size(); ++i) {
    const ChunkUnit& unit = moves[i].unit;
    for (uint32_t c = 0; c < unit.count; ++c) {
      next.set_owner(static_cast<int>(unit.first + c), moves[i].to);
    }
    bytes += Bytes(unit);
    const bool full = i + 1 == moves.size() || bytes + Bytes(moves[i + 1].unit) > options.batch_bytes;
    if (!full) continue;
    add(next);
    bytes = 0;
  }
  if (maps.empty() && joins) add(next);
  if (leaves) add(WithoutLeavers(next, stays));
  return maps;
}

uint64_t MovedBytes(const ShardMap& from, const ShardMap& to) {
  uint64_t bytes = 0;
  for (const ChunkInfo& chunk : Chunks(from)) {
    const int id = static_cast<int>(chunk.id);
    if (from.shards(from.owner(id)) != to.shards(to.owner(id))) {
      bytes += chunk.elements * sizeof(float);
    }
  }
  return bytes;
}

}  // namespace syncline
