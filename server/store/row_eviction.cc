#include "server/store/row_eviction.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// What is known of rows for rules to compare.
class Judge {
 public:
  Judge(const RowSlot& slot, const EvictionPolicy& policy)
      : slot_(slot), policy_(policy), weights_(slot.format().dim()) {}

  // Rows that go whatever the capacity.
  bool Condemned(const char* row) {
    if (policy_.max_age > 0 && Age(row) >= policy_.max_age) return true;
    return policy_.min_norm > 0 && Norm(row) < policy_.min_norm;
  }
  // Rows with less go first.
  double Worth(const char* row) {
    switch (policy_.order) {
      case EvictionOrder::kOldest:
        return -static_cast<double>(Age(row));
      case EvictionOrder::kLeastUsed:
        return RowFormat::Updates(row);
      case EvictionOrder::kSmallest:
        return Norm(row);
    }
    return 0;
  }

 private:
  uint32_t Age(const char* row) const {
    return static_cast<uint32_t>(slot_.version()) - RowFormat::Changed(row);
  }
  // Of a row that is not finite: infinity, so that rows can be put in order. It is for others to
  // find.
  double Norm(const char* row) {
    slot_.format().ReadWeights(row, weights_.data());
    const double norm = std::sqrt(SumOfSquares(weights_.data(), weights_.size()));
    return std::isnan(norm) ? std::numeric_limits<double>::infinity() : norm;
  }

  const RowSlot& slot_;
  const EvictionPolicy& policy_;
  std::vector<float> weights_;
};

}  // namespace

absl::StatusOr<std::vector<uint64_t>> RowsToEvict(const RowSlot& slot, const EvictionPolicy& policy, uint64_t judged) {
  const bool full = policy.capacity > 0 && slot.rows() > policy.capacity;
  std::vector<uint64_t> keys;
  if (!full && policy.max_age == 0 && policy.min_norm <= 0) return keys;
  Judge judge(slot, policy);
  std::vector<std::pair<double, uint64_t>> others;
  const auto now = static_cast<uint32_t>(slot.version());
  const auto wanted = [&](const RowPages::Notes& cold) {
    if (full || (policy.max_age > 0 && now - cold.oldest >= policy.max_age)) return true;
    return policy.min_norm > 0 && static_cast<int32_t>(cold.newest - static_cast<uint32_t>(judged)) > 0;
  };
  SYNCLINE_RETURN_IF_ERROR(slot.ForEachRow(wanted, [&](const char* row) {
    if (judge.Condemned(row)) {
      keys.push_back(RowFormat::Key(row));
    } else if (full) {
      others.emplace_back(judge.Worth(row), RowFormat::Key(row));
    }
  }));
  if (others.size() > policy.capacity && full) {
    const size_t stay = policy.capacity - policy.capacity / 8;
    const auto end = others.begin() + static_cast<ptrdiff_t>(others.size() - stay);
    std::nth_element(others.begin(), end, others.end());
    for (auto row = others.begin(); row != end; ++row) keys.push_back(row->second);
  }
  std::sort(keys.begin(), keys.end());
  return keys;
}

absl::StatusOr<std::vector<uint64_t>> RowsUntouchedSince(const RowSlot& slot, uint64_t update) {
  std::vector<uint64_t> keys;
  const auto some = [update](const RowPages::Notes& cold) {
    return static_cast<int32_t>(cold.oldest - static_cast<uint32_t>(update)) <= 0;
  };
  SYNCLINE_RETURN_IF_ERROR(slot.ForEachRow(some, [&](const char* row) {
    if (!RowFormat::ChangedAfter(update, row)) keys.push_back(RowFormat::Key(row));
  }));
  std::sort(keys.begin(), keys.end());
  return keys;
}

}  // namespace syncline
