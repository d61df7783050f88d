#ifndef SYNCLINE_WORKER_CLIENT_GATHER_H_
#define SYNCLINE_WORKER_CLIENT_GATHER_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace syncline {

// Calls `done` once `parts` parts have ended, with the first error of theirs. Thread-safe.
class Gather {
 public:
  Gather(size_t parts, std::function<void(absl::Status)> done)
      : done_(std::move(done)), parts_(parts) {}

  void PartDone(const absl::Status& status) {
    absl::Status result;
    {
      absl::MutexLock lock(&mu_);
      if (error_.ok()) error_ = status;
      if (--parts_ > 0) return;
      result = error_;
    }
    done_(result);
  }

 private:
  const std::function<void(absl::Status)> done_;
  absl::Mutex mu_;
  size_t parts_ ABSL_GUARDED_BY(mu_);
  absl::Status error_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_GATHER_H_
