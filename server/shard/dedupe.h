#ifndef SYNCLINE_SERVER_SHARD_DEDUPE_H_
#define SYNCLINE_SERVER_SHARD_DEDUPE_H_

#include <algorithm>
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
    const auto it = std::find_if(applied_.begin(), applied_.end(),
                                 [rank](const AppliedPushes& a) { return a.rank == rank; });
    if (it == applied_.end()) {
      applied_.push_back({rank, incarnation, clock + 1});
      return true;
    }
    if (incarnation < it->incarnation) return false;
    if (incarnation == it->incarnation && clock < it->next) return false;
    *it = {rank, incarnation, clock + 1};
    return true;
  }

  const std::vector<AppliedPushes>& applied() const { return applied_; }
  void Restore(std::vector<AppliedPushes> applied) { applied_ = std::move(applied); }

 private:
  std::vector<AppliedPushes> applied_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_DEDUPE_H_
