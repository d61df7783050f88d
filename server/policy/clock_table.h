#ifndef SYNCLINE_SERVER_POLICY_CLOCK_TABLE_H_
#define SYNCLINE_SERVER_POLICY_CLOCK_TABLE_H_

#include <map>
#include <vector>

#include "absl/status/status.h"
#include "common/cluster/ids.h"

namespace syncline {

// The workers a shard knows, and how far each has come. A rank is remembered after its removal, so
// that an incarnation once given up never gets in again. Not thread-safe.
class ClockTable {
 public:
  enum class State {  // as in PolicyMember
    kLive,
    kFenced,   // nothing more is accepted, but it still counts
    kRemoved,  // counts no more
  };
  struct Member {
    Incarnation incarnation = 0;
    // The first clock it has not committed.
    Clock clock = 0;
    State state = State::kLive;
  };

  // Lets an incarnation in, higher than any the rank had. Repeated for one that is live, it only
  // raises its clock: nothing of it will come below. FAILED_PRECONDITION if it was fenced before or
  // an older incarnation has not been removed.
  absl::Status Admit(Rank rank, Incarnation incarnation, Clock clock);
  // Both remember an incarnation never admitted here as well; an old one changes nothing.
  void Fence(Rank rank, Incarnation incarnation);
  void Remove(Rank rank, Incarnation incarnation);

  // FAILED_PRECONDITION unless the incarnation is live.
  absl::Status Check(Rank rank, Incarnation incarnation) const;

  // As another table has it.
  void Set(Rank rank, const Member& member);
  // Raises a rank's clock; never lowers it.
  void Advance(Rank rank, Clock clock);

  // Null if the rank was never heard of.
  const Member* Find(Rank rank) const;
  const std::map<Rank, Member>& members() const { return members_; }

  bool empty() const;
  // The lowest clock of those that count; with nobody, what it was last.
  Clock Lowest() const { return lowest_; }
  // The ranks that count and are below `clock`, ascending.
  std::vector<Rank> Below(Clock clock) const;

 private:
  void UpdateLowest();

  std::map<Rank, Member> members_;
  Clock lowest_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_POLICY_CLOCK_TABLE_H_
