#include "common/cluster/copy_places.h"

#include <algorithm>
#include <optional>

namespace syncline {
namespace {

uint64_t Bytes(const ChunkUnit& unit) { return unit.elements * sizeof(float); }

}  // namespace

CopyPlaces::CopyPlaces(const ShardMap& map, const std::vector<bool>& stays, const std::vector<ChunkUnit>& units)
    : units_(units), load_(stays.size()), on_(stays.size()), backups_(units.size()) {
  for (uint32_t shard = 0; shard < stays.size(); ++shard) {
    if (stays[shard]) places_.push_back(shard);
  }
  wanted_ = std::min<size_t>(BackupsEach(map), places_.size() - 1);
  for (size_t u = 0; u < units.size(); ++u) {
    owners_.push_back(map.owner(static_cast<int>(units[u].first)));
    for (const uint32_t shard : Backups(map, units[u].first)) {
      if (stays[shard] && shard != owners_[u] && backups_[u].size() < wanted_) Add(u, shard);
    }
  }
}

void CopyPlaces::Complete() {
  std::vector<size_t> order(units_.size());
  for (size_t u = 0; u < order.size(); ++u) order[u] = u;
  std::stable_sort(order.begin(), order.end(), [this](size_t a, size_t b) {
    return units_[a].elements > units_[b].elements;
  });
  for (const size_t u : order) {
    while (backups_[u].size() < wanted_) {
      std::optional<uint32_t> to;
      for (const uint32_t shard : places_) {
        if (MayHave(u, shard) && (!to || load_[shard] < load_[*to])) to = shard;
      }
      Add(u, *to);
    }
  }
}

void CopyPlaces::Even() {
  if (wanted_ == 0) return;
  while (true) {
    const auto [fewest, most] = std::minmax_element(
        places_.begin(), places_.end(), [this](auto a, auto b) { return load_[a] < load_[b]; });
    const uint32_t from = *most, to = *fewest;
    const auto moves = [&](size_t u) {
      return MayHave(u, to) && Bytes(units_[u]) < load_[from] - load_[to];
    };
    const auto u = std::find_if(on_[from].begin(), on_[from].end(), moves);
    if (u == on_[from].end()) return;
    const size_t unit = *u;
    Remove(unit, from);
    Add(unit, to);
  }
}

void CopyPlaces::WriteTo(ShardMap* map) const {
  const int each = BackupsEach(*map);
  map->mutable_backup()->Resize(map->owner_size() * each, 0);
  for (size_t u = 0; u < units_.size(); ++u) {
    for (uint32_t c = units_[u].first; c < units_[u].first + units_[u].count; ++c) {
      for (int i = 0; i < each; ++i) {
        const bool there = i < static_cast<int>(backups_[u].size());
        map->set_backup(static_cast<int>(c) * each + i, there ? backups_[u][i] : owners_[u]);
      }
    }
  }
}

bool CopyPlaces::MayHave(size_t u, uint32_t shard) const {
  const auto& backups = backups_[u];
  return shard != owners_[u] && std::find(backups.begin(), backups.end(), shard) == backups.end();
}

void CopyPlaces::Add(size_t u, uint32_t shard) {
  backups_[u].push_back(shard);
  on_[shard].insert(u);
  load_[shard] += Bytes(units_[u]);
}

void CopyPlaces::Remove(size_t u, uint32_t shard) {
  backups_[u].erase(std::find(backups_[u].begin(), backups_[u].end(), shard));
  on_[shard].erase(u);
  load_[shard] -= Bytes(units_[u]);
}

}  // namespace syncline
