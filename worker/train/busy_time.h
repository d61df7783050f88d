#ifndef SYNCLINE_WORKER_TRAIN_BUSY_TIME_H_
#define SYNCLINE_WORKER_TRAIN_BUSY_TIME_H_

#include <cstddef>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace syncline {

// How long at least one of several overlapping things was under way. Thread-safe; the caller tells the
// time.
class BusyTime {
 public:
  void Begin(absl::Time now) {
    absl::MutexLock lock(&mu_);
    if (under_way_++ == 0) since_ = now;
  }
  void End(absl::Time now) {
    absl::MutexLock lock(&mu_);
    if (--under_way_ == 0) past_ += now - since_;
  }
  absl::Duration Until(absl::Time now) const {
    absl::MutexLock lock(&mu_);
    return under_way_ == 0 ? past_ : past_ + (now - since_);
  }

 private:
  mutable absl::Mutex mu_;
  size_t under_way_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time since_ ABSL_GUARDED_BY(mu_);
  absl::Duration past_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_BUSY_TIME_H_
