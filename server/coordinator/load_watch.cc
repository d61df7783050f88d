#include "server/coordinator/load_watch.h"

#include <algorithm>

namespace syncline {

void LoadWatch::Report(const std::string& shard, const ShardLoad& load) {
  Load& sum = sums_[shard];
  sum.seconds += load.seconds();
  sum.bytes += static_cast<double>(load.bytes());
  sum.copy_bytes += static_cast<double>(load.copy_bytes());
  for (const ShardLoad::Chunk& chunk : load.hottest()) {
    Load::Chunk& hot = sum.hottest[chunk.chunk()];
    hot.bytes += static_cast<double>(chunk.bytes());
    hot.held_bytes = chunk.held_bytes();
  }
}

void LoadWatch::BeginInterval(const ShardMap& map, absl::Time now) {
  sums_.clear();
  begun_ = now;
  epoch_ = map.epoch();
}

void LoadWatch::Advance(const ShardMap& map, absl::Time now) {
  if (map.epoch() != epoch_) {
    uneven_ = 0;
    return BeginInterval(map, now);
  }
  if (now < begun_ + options_.interval) return;
  for (const std::string& shard : map.shards()) {
    const auto sum = sums_.find(shard);
    // Of one that is silent nobody knows whether it is busy.
    if (sum == sums_.end() || sum->second.seconds <= 0) return;
  }
  rates_.clear();
  for (auto& [shard, sum] : sums_) {
    if (sum.seconds <= 0) continue;
    Load& rate = rates_[shard];
    rate.bytes = sum.bytes / sum.seconds;
    rate.copy_bytes = sum.copy_bytes / sum.seconds;
    for (const auto& [chunk, hot] : sum.hottest) rate.hottest[chunk] = {hot.bytes / sum.seconds, hot.held_bytes};
  }
  uneven_ = IsUneven(map) ? uneven_ + 1 : 0;
  BeginInterval(map, now);
}

double LoadWatch::load(const std::string& shard) const {
  const auto rate = rates_.find(shard);
  return rate == rates_.end() ? 0 : rate->second.bytes;
}

bool LoadWatch::IsUneven(const ShardMap& map) const {
  double most = 0, all = 0;
  for (const std::string& shard : map.shards()) {
    most = std::max(most, load(shard));
    all += load(shard);
  }
  const double mean = all / std::max(map.shards_size(), 1);
  return mean >= options_.least && most > options_.uneven * mean;
}

std::vector<LoadedUnit> LoadWatch::Loaded(const ShardMap& map, const std::vector<ChunkUnit>& units) {
  std::vector<double> rest, rest_bytes(map.shards_size());
  for (const std::string& shard : map.shards()) rest.push_back(rates_[shard].bytes - rates_[shard].copy_bytes);
  std::vector<LoadedUnit> loaded;
  for (const ChunkUnit& unit : units) {
    LoadedUnit& of = loaded.emplace_back();
    of.owner = map.owner(static_cast<int>(unit.first));
    of.bytes = unit.elements * sizeof(float);
    const auto& hottest = rates_[map.shards(static_cast<int>(of.owner))].hottest;
    const auto end = hottest.lower_bound(unit.first + unit.count);
    for (auto hot = hottest.lower_bound(unit.first); hot != end; ++hot) {
      of.load += hot->second.bytes;
      of.cost += hot->second.held_bytes;
    }
    rest[of.owner] -= of.load;
    if (of.load == 0) rest_bytes[of.owner] += static_cast<double>(of.bytes);
  }
  for (LoadedUnit& of : loaded) {
    // Its copies may have to move too.
    of.cost = std::max(of.cost, of.bytes) * std::max(map.replicas(), 1u);
    // What was not named as hot shares what is left of its shard's load.
    if (of.load > 0 || rest[of.owner] <= 0) continue;
    of.load = rest[of.owner] * static_cast<double>(of.bytes) / rest_bytes[of.owner];
  }
  return loaded;
}

std::vector<ShardMap> LoadWatch::Plan(const ShardMap& map, const RebalanceOptions& options, absl::Time now) {
  if (uneven_ < options_.intervals || map.epoch() != epoch_ || now < not_before_) return {};
  uneven_ = 0;
  std::vector<double> base;
  for (const std::string& shard : map.shards()) base.push_back(rates_[shard].copy_bytes);
  const std::vector<ChunkUnit> units = ChunkUnits(Chunks(map), options.keep_tensors_whole);
  const std::vector<LoadedUnit> loaded = Loaded(map, units);
  const LoadGoal goal{options_.even, options.full, options_.bytes_a_minute};
  std::vector<uint32_t> owners(map.owner().begin(), map.owner().end());
  uint64_t moved = 0;
  for (const UnitMove& move : PlanLoadMoves(loaded, base, goal)) {
    const ChunkUnit& unit = units[move.unit];
    std::fill_n(owners.begin() + unit.first, unit.count, move.to);
    moved += loaded[move.unit].cost;
  }
  not_before_ = now + absl::Minutes(static_cast<double>(moved) / static_cast<double>(options_.bytes_a_minute));
  return PlanOwners(map, owners, options);
}

}  // namespace syncline
