#ifndef SYNCLINE_SERVER_SHARD_DEDUPE_H_
#define SYNCLINE_SERVER_SHARD_DEDUPE_H_

#include <algorithm>
#include <utility>
#include <vector>

#include "common/cluster/ids.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// What one chunk remembers of the pushes applied to it. Guarded by the chunk's own mutex together
// with the weights, so a duplicate that comes meanwhile waits, and then finds itself remembered.
class Dedupe {
 public:
  // True, and remembered, if this push is new: its clock is not below the next one expected.
  bool Take(Rank rank, Incarnation incarnation, Clock clock) {
    Entry& entry = Find(rank);
    AppliedPushes& applied = entry.applied;
    if (incarnation < applied.incarnation) return false;
    if (incarnation == applied.incarnation && clock < applied.next) return false;
    if (incarnation != applied.incarnation) entry.version = 0;
    applied = {rank, incarnation, clock + 1};
    return true;
  }

  // The chunk's version after a rank's last push. A push computed on an older one has not seen it.
  uint64_t OwnVersion(Rank rank) { return Find(rank).version; }
  void SetOwnVersion(Rank rank, uint64_t version) { Find(rank).version = version; }

  std::vector<AppliedPushes> applied() const {
    std::vector<AppliedPushes> applied;
    for (const Entry& entry : entries_) applied.push_back(entry.applied);
    return applied;
  }
  void Restore(const std::vector<AppliedPushes>& applied) {
    entries_.clear();
    for (const AppliedPushes& a : applied) entries_.push_back({a, 0});
  }

 private:
  struct Entry {
    AppliedPushes applied;
    uint64_t version = 0;
  };

  Entry& Find(Rank rank) {
    const auto it = std::find_if(entries_.begin(), entries_.end(),
                                 [rank](const Entry& e) { return e.applied.rank == rank; });
    if (it != entries_.end()) return *it;
    entries_.push_back({{rank, 0, 0}, 0});
    return entries_.back();
  }

  std::vector<Entry> entries_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_DEDUPE_H_
