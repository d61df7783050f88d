#ifndef SYNCLINE_WORKER_TRAIN_TEAM_WORK_H_
#define SYNCLINE_WORKER_TRAIN_TEAM_WORK_H_

#include <cstdint>
#include <optional>

#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "proto/coordinator.pb.h"
#include "worker/model/network.h"

namespace syncline {

// How a member of several processes makes a step, as the trainer of the one that leads sees it. Used by one thread.
class TeamWork {
 public:
  virtual ~TeamWork() = default;

  // It pulls weights and pushes gradients itself: the trainer only leases, waits for the step and commits.
  virtual bool moves_tensors() const = 0;

  // One try of a step: forward and backward of the batch (which moves_tensors() loads itself). The others have pushed
  // what they made when it returns. What they came to. ABORTED if somebody of the team came or went
  // meanwhile: nothing of the step may be committed, and the same step is to be tried again. CANCELLED when told to
  // stop, FAILED_PRECONDITION if another process leads by now.
  virtual absl::StatusOr<BatchResult> Step(const StepLease& lease, std::optional<Clock> next, const Batch& batch,
                                      const Network::AwaitValues& await,
                                      const Network::GradientReady& ready) = 0;
  // Loss and accuracy of samples of the held-out data, from `begin` on. `fresh`: with the latest weights, from
  // here on. Errors as of Step.
  virtual absl::StatusOr<BatchResult> Evaluate(uint64_t begin, const Batch& batch, bool fresh) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_TEAM_WORK_H_
