#ifndef SYNCLINE_WORKER_TRAIN_LOCAL_STEPPER_H_
#define SYNCLINE_WORKER_TRAIN_LOCAL_STEPPER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "common/optimizer/update_rule.h"
#include "proto/job.pb.h"
#include "worker/client/client.h"
#include "worker/model/network.h"

namespace syncline {

// A worker's own optimizer, for local_steps above 1: it updates the network's values with the network's
// gradients, both in host memory, and says by how much they have changed in the end. The optimizer's
// state is the worker's and goes on from one exchange to the next (arXiv 2311.08105, algorithm 1).
//
// Not thread-safe. `network` must outlive it.
class LocalStepper {
 public:
  // INVALID_ARGUMENT as MakeUpdateRule.
  static absl::StatusOr<std::unique_ptr<LocalStepper>> Create(const JobManifest& job,
                                                              Network* network);

  // Takes the values as they are for those the shards have.
  void Begin();
  // One update of all values with all gradients, clipped as the job says. `step` counts the job's local
  // steps, for the schedule.
  void Step(uint64_t step);
  // What goes on from one exchange to the next, where it lies.
  Client::OwnState State();
  // As it was when another worker stepped so many times; the slots are written by way of State.
  void SetUpdates(uint64_t updates) { updates_ = updates; }

  // Writes what Begin saw less the values now over the gradients: what is pushed.
  void WriteChange();

 private:
  LocalStepper(const Optimizer& optimizer, std::unique_ptr<const UpdateRule> rule,
               Network* network);
  float ClippingScale() const;

  const Optimizer optimizer_;
  const std::unique_ptr<const UpdateRule> rule_;
  Network* const network_;
  uint64_t updates_ = 0;
  std::vector<std::vector<float>> begun_;  // by parameter
  std::vector<std::vector<float>> state_[kMaxStateSlots];
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_LOCAL_STEPPER_H_
