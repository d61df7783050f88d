#ifndef SYNCLINE_WORKER_PIPELINE_LEADER_H_
#define SYNCLINE_WORKER_PIPELINE_LEADER_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/coordinator.pb.h"
#include "worker/client/client.h"
#include "worker/model/network.h"
#include "worker/pipeline/stage.h"
#include "worker/team/team.h"

namespace syncline {

// The first stage's side of a pipeline: tells the others what to compute, does its own part, and knows when all of
// a step is made and pushed. Alone, with a model on one stage, it only does its part. Used by one thread. What
// Options names outlives it.
class PipelineLeader {
 public:
  struct Options {
    Team* team = nullptr;  // null: alone
    PipelineStage* stage = nullptr;
    const Client* client = nullptr;
    std::string layers;  // by stage
    // Asked while the team is not complete: true ends that.
    std::function<bool()> stop;
  };
  explicit PipelineLeader(Options options) : options_(std::move(options)) {}

  // One try of a step: forward and backward of the batch, which is that of the lease, on all stages. The other
  // stages have pushed what they made when it returns. The loss summed over rows. ABORTED if somebody of the
  // team came or went meanwhile: nothing of the step may be committed, and the same step is to be tried again.
  // CANCELLED on `stop`, FAILED_PRECONDITION if another process has this one's place.
  absl::StatusOr<double> Step(const StepLease& lease, std::optional<Clock> next, const Batch& batch,
                              const Network::AwaitValues& await, const Network::GradientReady& ready);
  // Loss and accuracy of samples of the held-out data, from `begin` on. `fresh`: with the latest weights, from
  // here on. Errors as of Step.
  absl::StatusOr<Network::Evaluation> Evaluate(uint64_t begin, const Batch& batch, bool fresh);

  // Lets the others go: for good with `over`, else to another leader.
  void End(bool over);

 private:
  absl::StatusOr<TeamAttempt> Begin(TeamMessage::Kind kind, TeamStep step);
  // What the other stages have made of the present attempt.
  absl::StatusOr<TeamResult> AwaitOthers();

  const Options options_;
  uint64_t attempts_ = 0;
  uint32_t others_ = 0;  // at places 1, 2, ...
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_LEADER_H_
