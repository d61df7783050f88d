#ifndef SYNCLINE_WORKER_TRAIN_PULL_WAIT_H_
#define SYNCLINE_WORKER_TRAIN_PULL_WAIT_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "worker/client/client.h"

namespace syncline {

// A pull under way, and where to wait for its parts. Thread-safe.
class PullWait {
 public:
  explicit PullWait(size_t tensors) : ready_(tensors) {}

  // What to give to the client's call, once; it keeps `wait` alive. `ended` is called when nothing of
  // the pull is under way any more, on a thread of the client.
  static Client::TensorReady Ready(std::shared_ptr<PullWait> wait);
  static Client::PullDone Done(std::shared_ptr<PullWait> wait, std::function<void()> ended);

  // Blocks until tensors first .. first + count - 1 are there. The pull's error if it has failed;
  // ABORTED if the step was not granted (see Wait).
  absl::Status WaitFor(size_t first, size_t count);
  // Blocks until nothing of the pull is under way any more.
  absl::StatusOr<Client::PullOutcome> Wait();

 private:
  absl::Mutex mu_;
  std::vector<bool> ready_ ABSL_GUARDED_BY(mu_);
  bool done_ ABSL_GUARDED_BY(mu_) = false;
  absl::StatusOr<Client::PullOutcome> outcome_ ABSL_GUARDED_BY(mu_) =
      absl::UnknownError("the pull is under way");
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_PULL_WAIT_H_
