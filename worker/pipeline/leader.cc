#include "worker/pipeline/leader.h"

#include <memory>
#include <utility>
#include <vector>

#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<TeamAttempt> PipelineLeader::Begin(TeamMessage::Kind kind, TeamStep step) {
  if (options_.team == nullptr) return TeamAttempt();
  const auto settled = [](const Team::View& view) {
    return view.complete || (view.has_place && view.place != 0);
  };
  SYNCLINE_ASSIGN_OR_RETURN(const Team::View view, options_.team->Await(settled, options_.stop));
  if (view.place != 0) {
    return absl::FailedPreconditionError("another process leads: the coordinator has given this one's place away");
  }
  const TeamAttempt attempt = {view.generation, ++attempts_};
  options_.team->mailbox()->BeginAttempt(attempt);
  step.set_rank(options_.client->rank());
  step.set_incarnation(options_.client->incarnation());
  step.set_layers(options_.layers);
  TeamMessage order;
  order.set_kind(kind);
  order.set_generation(attempt.generation);
  order.set_attempt(attempt.number);
  *order.mutable_step() = std::move(step);
  others_ = static_cast<uint32_t>(view.processes.size()) - 1;
  for (uint32_t place = 1; place <= others_; ++place) options_.team->Send(place, order);
  return attempt;
}

absl::StatusOr<TeamResult> PipelineLeader::AwaitOthers() {
  TeamResult all;
  if (options_.team == nullptr) return all;
  for (uint32_t place = 1; place <= others_; ++place) {
    SYNCLINE_ASSIGN_OR_RETURN(const DecodedTeamMessage done,
                              options_.team->mailbox()->Take(TeamMessage::DONE, place, 0));
    const TeamResult& result = done.head.result();
    all.set_loss_sum(all.loss_sum() + result.loss_sum());
    all.set_correct(all.correct() + result.correct());
  }
  return all;
}

absl::StatusOr<double> PipelineLeader::Step(const StepLease& lease, std::optional<Clock> next,
                                            const Batch& batch, const Network::AwaitValues& await,
                                            const Network::GradientReady& ready) {
  TeamStep step;
  step.set_clock(lease.clock());
  if (next) step.set_next_clock(*next);
  step.set_epoch(lease.epoch());
  step.set_begin(lease.begin());
  step.set_count(lease.count());
  SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, Begin(TeamMessage::STEP, std::move(step)));
  SYNCLINE_ASSIGN_OR_RETURN(const double loss, options_.stage->Run(batch, attempt, await, ready));
  SYNCLINE_ASSIGN_OR_RETURN(const TeamResult others, AwaitOthers());
  if (options_.team != nullptr) options_.team->Report(options_.stage->progress());
  return loss + others.loss_sum();
}

absl::StatusOr<Network::Evaluation> PipelineLeader::Evaluate(uint64_t begin, const Batch& batch, bool fresh) {
  TeamStep step;
  step.set_begin(begin);
  step.set_count(static_cast<uint32_t>(batch.rows));
  step.set_fresh(fresh);
  SYNCLINE_ASSIGN_OR_RETURN(const TeamAttempt attempt, Begin(TeamMessage::EVALUATE, std::move(step)));
  SYNCLINE_ASSIGN_OR_RETURN(Network::Evaluation result, options_.stage->Evaluate(batch, attempt));
  SYNCLINE_ASSIGN_OR_RETURN(const TeamResult others, AwaitOthers());
  result.rows = batch.rows;
  result.loss_sum += others.loss_sum();
  result.correct += others.correct();
  return result;
}

void PipelineLeader::End(bool over) {
  if (options_.team == nullptr) return;
  TeamMessage order;
  order.set_kind(TeamMessage::END);
  order.set_over(over);
  std::vector<std::shared_ptr<Delivery>> sent;
  const size_t processes = options_.team->view().processes.size();
  for (uint32_t place = 1; place < processes; ++place) sent.push_back(options_.team->Send(place, order));
  for (const auto& delivery : sent) delivery->Wait();
}

}  // namespace syncline
