#ifndef SYNCLINE_WORKER_PROGRESS_BOARD_H_
#define SYNCLINE_WORKER_PROGRESS_BOARD_H_

#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/obs/status_page.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// What the status page shows: the trainer's progress, from its last step. Thread-safe.
class ProgressBoard {
 public:
  void Set(const WorkerProgress& progress) {
    absl::MutexLock lock(&mu_);
    progress_ = progress;
    training_ = true;
  }
  std::vector<Metric> Metrics() const;
  std::string NotReady() const {
    absl::MutexLock lock(&mu_);
    return training_ ? "" : "no step made yet";
  }

 private:
  mutable absl::Mutex mu_;
  WorkerProgress progress_ ABSL_GUARDED_BY(mu_);
  bool training_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PROGRESS_BOARD_H_
