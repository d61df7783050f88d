#ifndef SYNCLINE_WORKER_PIPELINE_LEADER_H_
#define SYNCLINE_WORKER_PIPELINE_LEADER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/pipeline/stage.h"
#include "worker/team/team_leader.h"
#include "worker/train/team_work.h"

namespace syncline {

// The first stage's side of a pipeline: tells the others what to compute, does its own part, and knows when all of
// a step is made and pushed. Alone, with a model on one stage, it only does its part. What Options names outlives it.
class PipelineLeader final : public TeamWork {
 public:
  struct Options {
    TeamLeader* others = nullptr;  // null: alone
    Team* team = nullptr;          // likewise
    PipelineStage* stage = nullptr;
    std::string layers;  // by stage
  };
  explicit PipelineLeader(Options options) : options_(std::move(options)) {}

  bool moves_tensors() const override { return false; }
  absl::StatusOr<BatchResult> Step(const StepLease& lease, std::optional<Clock> next, const Batch& batch,
                                   const Network::AwaitValues& await, const Network::GradientReady& ready) override;
  absl::StatusOr<BatchResult> Evaluate(uint64_t begin, const Batch& batch, bool fresh) override;

 private:
  absl::StatusOr<TeamAttempt> Begin(TeamMessage::Kind kind, TeamStep step);

  const Options options_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_LEADER_H_
