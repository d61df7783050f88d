#ifndef SYNCLINE_SERVER_COORDINATOR_LOSS_CURVE_H_
#define SYNCLINE_SERVER_COORDINATOR_LOSS_CURVE_H_

#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "proto/coordinator.pb.h"
#include "server/coordinator/training_sums.h"

namespace syncline {

// How training goes, from sums that grow: a curve of mean losses and accuracies, and the present speed. Pure; not
// thread-safe.
class LossCurve {
 public:
  // Begins at the first call with samples. `sums` as of `now`; `epoch` beside them. `last`: there will be no more, so
  // this makes a point in any case.
  void Add(absl::Time now, const TrainingSums& sums, double epoch, bool last = false);

  // At most 1000 points; each is the mean of the samples since the one before.
  const std::vector<LossPoint>& points() const { return points_; }
  // Over the last two seconds.
  double samples_per_second() const;

 private:
  absl::Time begun_ = absl::InfiniteFuture();
  absl::Time last_point_;
  absl::Duration period_ = absl::Milliseconds(250);
  TrainingSums at_last_point_;
  std::vector<LossPoint> points_;
  std::deque<std::pair<absl::Time, uint64_t>> recent_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_LOSS_CURVE_H_
