#ifndef SYNCLINE_SERVER_STORE_UPDATE_TIMES_H_
#define SYNCLINE_SERVER_STORE_UPDATE_TIMES_H_

#include <cstdint>
#include <deque>

#include "absl/status/status.h"
#include "common/tensor/fragments.h"

namespace syncline {

// When the updates of a slot came, as well as it takes to say which rows nobody has pushed for some time: rows know by
// which update they were last touched. Of the updates that come within a thirty-second of that time it remembers two. Times
// are seconds by a clock of this process, which nobody sets; to another process they travel as ages.
//
// Not thread-safe.
class UpdateTimes {
 public:
  // `max_age`: seconds, above 0.
  explicit UpdateTimes(double max_age) : max_age_(max_age) {}

  // Update number `version`, and none after it, has come by now.
  void Note(uint64_t version, double now);
  // The latest update that is known to be max_age old; 0: none is.
  uint64_t Expired(double now);

  // The ages of the updates that are remembered, to travel with a snapshot of the slot: for each, the oldest first,
  // 8 bytes of float64 and the number of the update in 8, little-endian. What passes on the way is not counted.
  Fragments State(double now) const;
  // INVALID_ARGUMENT, and nothing changes, if these are no ages.
  absl::Status Restore(const Fragments& state, double now);

 private:
  struct Mark {
    double time = 0;
    uint64_t version = 0;
  };

  const double max_age_;
  std::deque<Mark> marks_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_UPDATE_TIMES_H_
