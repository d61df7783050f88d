#ifndef SYNCLINE_WORKER_REJOINS_H_
#define SYNCLINE_WORKER_REJOINS_H_

#include "absl/time/time.h"

namespace syncline {

// How often a worker that the cluster gave up joins again before it gives up itself. Only what comes thick and fast is
// a sign that it is this worker's own fault. Not thread-safe.
class Rejoins {
 public:
  // A membership that `lasted` so long has ended: whether to begin another one.
  bool Again(absl::Duration lasted) {
    if (lasted > absl::Minutes(1)) joins_ = 0;
    return ++joins_ <= kMax;
  }

 private:
  static constexpr int kMax = 5;

  int joins_ = 1;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_REJOINS_H_
