#include "common/cluster/map_after_loss.h"

#include <algorithm>
#include <cstdint>
#include <tuple>
#include <vector>

#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

struct Holder {
  uint32_t shard = 0;
  ChangeMapReply::Holding holding;
  bool joining = false;
  // In the newest map: 0 for the owner, then its copies in turn, then everybody else.
  size_t turn = 0;
};

// Whether `a` is the better owner.
bool Better(const Holder& a, const Holder& b) {
  const auto key = [](const Holder& h) {
    return std::make_tuple(h.holding.owned(), h.holding.step(), h.holding.version(), !h.joining);
  };
  return key(a) != key(b) ? key(a) > key(b) : a.turn < b.turn;
}

// By chunk, the best owner first.
std::vector<std::vector<Holder>> HoldersOf(const ShardMap& newest, absl::Span<const std::string> lost,
                                           absl::Span<const std::string> joining, const Stock& stock) {
  std::vector<std::vector<Holder>> holders(newest.owner_size());
  for (int shard = 0; shard < newest.shards_size(); ++shard) {
    const std::string& address = newest.shards(shard);
    const auto answer = stock.find(address);
    if (absl::c_linear_search(lost, address) || answer == stock.end()) continue;
    for (const ChangeMapReply::Holding& holding : answer->second.holdings()) {
      if (holding.chunk() >= holders.size()) continue;
      Holder holder{static_cast<uint32_t>(shard), holding, absl::c_linear_search(joining, address), 0};
      std::vector<uint32_t> turns = {newest.owner(static_cast<int>(holding.chunk()))};
      for (const uint32_t backup : Backups(newest, holding.chunk())) turns.push_back(backup);
      holder.turn = std::find(turns.begin(), turns.end(), holder.shard) - turns.begin();
      holders[holding.chunk()].push_back(holder);
    }
  }
  for (auto& of_chunk : holders) std::stable_sort(of_chunk.begin(), of_chunk.end(), Better);
  return holders;
}

absl::Status CheckWhole(const ShardMap& map) {
  for (const ChunkUnit& unit : ChunkUnits(Chunks(map), true)) {
    const auto owner = map.owner().begin() + unit.first;
    if (std::all_of(owner, owner + unit.count, [&](uint32_t o) { return o == *owner; })) continue;
    return absl::DataLossError(
        absl::StrCat("chunks ", unit.first, " to ", unit.first + unit.count - 1, " are of one tensor, and only "
                     "some of them have arrived where all of them were to go"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ShardMap> MapAfterLoss(const ShardMap& newest, absl::Span<const std::string> lost,
                                      absl::Span<const std::string> joining, bool keep_tensors_whole,
                                      const Stock& stock) {
  ShardMap next = newest;
  next.set_epoch(newest.epoch() + 1);
  auto holders = HoldersOf(newest, lost, joining, stock);
  std::vector<bool> stays;
  for (const std::string& address : newest.shards()) {
    stays.push_back(!absl::c_linear_search(lost, address) && !absl::c_linear_search(joining, address));
  }
  for (size_t chunk = 0; chunk < holders.size(); ++chunk) {
    if (holders[chunk].empty()) {
      return absl::DataLossError(absl::StrCat("no copy of chunk ", chunk, " is left without the shards at ",
                                              absl::StrJoin(lost, ", ")));
    }
    next.set_owner(static_cast<int>(chunk), holders[chunk][0].shard);
    stays[holders[chunk][0].shard] = true;
  }
  const int each = BackupsEach(newest);
  for (int chunk = 0; chunk < next.owner_size(); ++chunk) {
    auto others = holders[static_cast<size_t>(chunk)];
    others.erase(others.begin());
    std::stable_sort(others.begin(), others.end(),
                     [](const Holder& a, const Holder& b) { return a.turn < b.turn; });
    std::vector<uint32_t> backups;
    for (const Holder& holder : others) {
      if (stays[holder.shard]) backups.push_back(holder.shard);
    }
    backups.resize(each, next.owner(chunk));
    for (int i = 0; i < each; ++i) next.set_backup(chunk * each + i, backups[static_cast<size_t>(i)]);
  }
  for (size_t shard = 0; shard < stays.size(); ++shard) {
    if (!stays[shard]) next.add_lost(newest.shards(static_cast<int>(shard)));
  }
  if (keep_tensors_whole) SYNCLINE_RETURN_IF_ERROR(CheckWhole(next));
  return OnlyShards(next, stays);
}

}  // namespace syncline
