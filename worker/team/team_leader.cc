#include "worker/team/team_leader.h"

#include <memory>
#include <vector>

#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<TeamAttempt> TeamLeader::Begin(TeamMessage::Kind kind, TeamStep step) {
  const auto settled = [](const Team::View& view) { return view.complete || (view.has_place && !view.leads()); };
  SYNCLINE_ASSIGN_OR_RETURN(const Team::View view, options_.team->Await(settled, options_.stop));
  if (!view.leads()) {
    return absl::FailedPreconditionError("another process leads: the coordinator has given this one's place away");
  }
  const TeamAttempt attempt = options_.team->NewAttempt(view);
  led_ = attempt.generation;
  options_.team->mailbox()->DropOrders(attempt.generation);
  options_.team->mailbox()->BeginAttempt(attempt);
  step.set_rank(options_.rank);
  step.set_incarnation(options_.incarnation);
  TeamMessage order = MessageOf(kind, attempt);
  *order.mutable_step() = std::move(step);
  others_.clear();
  for (const uint32_t place : view.places()) {
    if (place == view.place) continue;
    others_.push_back(place);
    options_.team->Send(place, order);
  }
  return attempt;
}

absl::StatusOr<BatchResult> TeamLeader::AwaitOthers() {
  BatchResult all;
  for (const uint32_t place : others_) {
    SYNCLINE_ASSIGN_OR_RETURN(const DecodedTeamMessage done,
                              options_.team->mailbox()->Take(TeamMessage::DONE, place, 0));
    const TeamResult& result = done.head.result();
    all += {result.loss_sum(), result.correct()};
  }
  return all;
}

void TeamLeader::End(bool over) {
  const Team::View view = options_.team->view();
  // Of the team as this process led it: by now another one may lead.
  if (!led_ && !view.leads()) return;
  TeamAttempt attempt = options_.team->NewAttempt(view);
  if (led_) attempt.generation = *led_;
  TeamMessage order = MessageOf(TeamMessage::END, attempt);
  order.set_over(over);
  std::vector<std::shared_ptr<Delivery>> sent;
  for (const uint32_t place : view.places()) {
    if (place != view.place) sent.push_back(options_.team->Send(place, order));
  }
  for (const auto& delivery : sent) delivery->Wait();
}

TeamStep StepOf(const StepLease& lease) {
  TeamStep step;
  step.set_clock(lease.clock());
  step.set_epoch(lease.epoch());
  step.set_begin(lease.begin());
  step.set_count(lease.count());
  return step;
}

}  // namespace syncline
