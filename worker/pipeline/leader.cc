#include "worker/pipeline/leader.h"

#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<TeamAttempt> PipelineLeader::Begin(TeamMessage::Kind kind, TeamStep step) {
  if (options_.others == nullptr) return TeamAttempt();
  step.set_layers(options_.layers);
  return options_.others->Begin(kind, std::move(step));
}

absl::StatusOr<BatchResult> PipelineLeader::Step(const StepLease& lease, std::optional<Clock> next,
                                                 const Batch& batch, const Network::AwaitValues& await,
                                                 const Network::GradientReady& ready) {
  TeamStep step = StepOf(lease);
  if (next) step.set_next_clock(*next);
  SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, Begin(TeamMessage::STEP, std::move(step)));
  SYNCLINE_ASSIGN_OR_RETURN(BatchResult result, options_.stage->Run(batch, attempt, await, ready));
  if (options_.others == nullptr) return result;
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult others, options_.others->AwaitOthers());
  options_.team->Report(options_.stage->progress());
  result += others;
  return result;
}

absl::StatusOr<BatchResult> PipelineLeader::Evaluate(uint64_t begin, const Batch& batch, bool fresh) {
  TeamStep step;
  step.set_begin(begin);
  step.set_count(static_cast<uint32_t>(batch.rows));
  step.set_fresh(fresh);
  SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, Begin(TeamMessage::EVALUATE, std::move(step)));
  SYNCLINE_ASSIGN_OR_RETURN(BatchResult result, options_.stage->Evaluate(batch, attempt));
  if (options_.others == nullptr) return result;
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult others, options_.others->AwaitOthers());
  result += others;
  return result;
}

}  // namespace syncline
