#ifndef SYNCLINE_WORKER_TRAIN_STEP_SOURCE_H_
#define SYNCLINE_WORKER_TRAIN_STEP_SOURCE_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "proto/coordinator.pb.h"
#include "worker/client/client.h"

namespace syncline {

// A worker's leased steps, in order. One request brings many, so that the coordinator is not on the
// way of a step. Not thread-safe; calls may block for a round trip, Next for as long as the cluster
// has nothing to do.
class StepSource {
 public:
  // `samples`: of the training set. `stop` is asked while waiting; true ends the wait.
  StepSource(Client* client, uint64_t samples, std::function<bool()> stop);

  // The next step; none when training is over (finished()) or `stop` said so. Without next(),
  // all steps given out must be committed.
  absl::StatusOr<std::optional<StepLease>> Next();

  // Drops the steps before `clock`: they were made without this worker.
  void SkipTo(Clock clock);
  // Whether training is over at `clock`, a step the shards did not let this worker begin. If not,
  // Next gives that step again.
  absl::StatusOr<bool> StoppedAt(Clock clock);

  // What Next gives without having to ask for more; null if it has to.
  const StepLease* next() const { return steps_.empty() ? nullptr : &steps_.front(); }
  bool finished() const { return finished_; }
  // This worker is to measure the model before it leaves. Set when finished.
  bool evaluate() const { return evaluate_; }
  // Steps below are done with.
  Clock clock() const { return clock_; }

 private:
  absl::Status Ask(Clock from);

  Client* const client_;
  const uint64_t samples_;
  const std::function<bool()> stop_;
  std::deque<StepLease> steps_;
  Clock clock_ = 0;  // the first step not given out
  bool finished_ = false;
  bool evaluate_ = false;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_STEP_SOURCE_H_
