#include "common/cluster/load_balance.h"

#include <algorithm>
#include <map>
#include <optional>

namespace syncline {
namespace {

// Of a shard's units the hottest so many are looked at; others are not worth a message each.
constexpr size_t kCandidates = 64;
// A relief of less than this share of the mean load is not worth a move.
constexpr double kLeastRelief = 0.02;

class Planner {
 public:
  Planner(const std::vector<LoadedUnit>& units, const std::vector<double>& base, const LoadGoal& goal)
      : units_(units), goal_(goal), load_(base), bytes_(base.size()), on_(base.size()) {
    uint64_t smallest = std::numeric_limits<uint64_t>::max();
    double bytes = 0;
    for (size_t u = 0; u < units.size(); ++u) {
      on_[units[u].owner].push_back(u);
      load_[units[u].owner] += units[u].load;
      bytes_[units[u].owner] += units[u].bytes;
      bytes += static_cast<double>(units[u].bytes);
      smallest = std::min(smallest, units[u].bytes);
    }
    const auto shards = static_cast<double>(base.size());
    for (const double load : load_) mean_ += load / shards;
    const double mean_bytes = bytes / shards;
    const auto limit = static_cast<uint64_t>(
        std::max(goal.full * mean_bytes, mean_bytes + static_cast<double>(smallest) / 2));
    for (const uint64_t has : bytes_) limits_.push_back(std::max(limit, has));
  }

  std::vector<UnitMove> Plan() {
    while (true) {
      const auto busiest = std::max_element(load_.begin(), load_.end());
      if (*busiest <= goal_.even * mean_) break;
      const auto best = Best(static_cast<uint32_t>(busiest - load_.begin()));
      if (!best) break;
      Move(best->unit, best->from, best->to);
      if (best->back) Move(*best->back, best->to, best->from);
    }
    return moves_;
  }

 private:
  struct Exchange {
    size_t unit = 0;
    uint32_t from = 0;
    uint32_t to = 0;
    std::optional<size_t> back;
    double peak = 0;      // the load of the busier of the two shards then
    double receiver = 0;  // and of the one that takes the unit
    uint64_t cost = 0;
  };

  std::optional<Exchange> Best(uint32_t from) const {
    std::optional<Exchange> best;
    for (const size_t unit : Hottest(from)) {
      for (uint32_t to = 0; to < load_.size(); ++to) {
        if (to == from || load_[to] >= load_[from]) continue;
        Consider({unit, from, to, std::nullopt, 0, 0, 0}, &best);
        for (const auto& [bytes, cold] : Coldest(to)) Consider({unit, from, to, cold, 0, 0, 0}, &best);
      }
    }
    return best;
  }

  void Consider(Exchange exchange, std::optional<Exchange>* best) const {
    const LoadedUnit& out = units_[exchange.unit];
    const LoadedUnit back = exchange.back ? units_[*exchange.back] : LoadedUnit();
    const uint32_t from = exchange.from, to = exchange.to;
    const bool fits = bytes_[to] + out.bytes - back.bytes <= limits_[to] &&
                      bytes_[from] + back.bytes - out.bytes <= limits_[from];
    exchange.receiver = load_[to] + out.load - back.load;
    exchange.peak = std::max(load_[from] - out.load + back.load, exchange.receiver);
    exchange.cost = std::max<uint64_t>(out.cost + back.cost, 1);
    const bool affordable = moves_.empty() || spent_ + exchange.cost <= goal_.most_bytes;
    if (!fits || !affordable || Relief(exchange) < kLeastRelief * mean_) return;
    if (!*best || Better(exchange, **best)) *best = exchange;
  }

  double Relief(const Exchange& exchange) const { return load_[exchange.from] - exchange.peak; }

  bool Better(const Exchange& a, const Exchange& b) const {
    const double goal = goal_.even * mean_;
    if ((a.peak <= goal) != (b.peak <= goal)) return a.peak <= goal;
    if (a.peak <= goal && a.cost != b.cost) return a.cost < b.cost;
    const double a_gain = Relief(a) / static_cast<double>(a.cost), b_gain = Relief(b) / static_cast<double>(b.cost);
    if (a_gain != b_gain) return a_gain > b_gain;
    return a.receiver < b.receiver;
  }

  std::vector<size_t> Hottest(uint32_t shard) const {
    std::vector<size_t> units;
    for (const size_t u : on_[shard]) {
      if (units_[u].load > 0) units.push_back(u);
    }
    const auto hotter = [this](size_t a, size_t b) {
      return units_[a].load != units_[b].load ? units_[a].load > units_[b].load : a < b;
    };
    const size_t kept = std::min(units.size(), kCandidates);
    std::partial_sort(units.begin(), units.begin() + static_cast<std::ptrdiff_t>(kept), units.end(), hotter);
    units.resize(kept);
    return units;
  }

  // The coldest unit of each size.
  std::map<uint64_t, size_t> Coldest(uint32_t shard) const {
    std::map<uint64_t, size_t> coldest;
    for (const size_t u : on_[shard]) {
      const auto [it, first] = coldest.try_emplace(units_[u].bytes, u);
      if (!first && units_[u].load < units_[it->second].load) it->second = u;
    }
    return coldest;
  }

  // What has moved is in no shard's list any more.
  void Move(size_t unit, uint32_t from, uint32_t to) {
    load_[from] -= units_[unit].load;
    load_[to] += units_[unit].load;
    bytes_[from] -= units_[unit].bytes;
    bytes_[to] += units_[unit].bytes;
    spent_ += units_[unit].cost;
    on_[from].erase(std::find(on_[from].begin(), on_[from].end(), unit));
    moves_.push_back({unit, to});
  }

  const std::vector<LoadedUnit>& units_;
  const LoadGoal goal_;
  std::vector<double> load_;             // by shard, like the others
  std::vector<uint64_t> bytes_;
  std::vector<uint64_t> limits_;         // of bytes_
  std::vector<std::vector<size_t>> on_;  // units that have not moved
  double mean_ = 0;
  uint64_t spent_ = 0;
  std::vector<UnitMove> moves_;
};

}  // namespace

std::vector<UnitMove> PlanLoadMoves(const std::vector<LoadedUnit>& units, const std::vector<double>& base,
                                    const LoadGoal& goal) {
  if (units.empty() || base.size() < 2) return {};
  return Planner(units, base, goal).Plan();
}

}  // namespace syncline
