#include "worker/team/follower.h"

#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(100);
constexpr absl::Duration kPause = absl::Milliseconds(20);

absl::Status Make(Mailbox* mailbox, TeamPart* part, const TeamMessage& order, BatchResult* result) {
  const TeamAttempt attempt = AttemptOf(order);
  SYNCLINE_RETURN_IF_ERROR(part->Prepare(order.step()));
  mailbox->BeginAttempt(attempt);
  if (order.kind() == TeamMessage::STEP) return part->Step(order.step(), attempt, result);
  return part->Evaluate(order.step(), attempt, result);
}

absl::Status Obey(Team* team, TeamPart* part, const std::function<bool()>& stop, const TeamMessage& order) {
  const TeamAttempt attempt = AttemptOf(order);
  // The leader may have heard of the team as it is now before this process.
  const auto heard = [&](const Team::View& view) { return !view.has_place || view.generation >= attempt.generation; };
  SYNCLINE_ASSIGN_OR_RETURN(const Team::View view, team->Await(heard, stop));
  if (view.generation != attempt.generation || view.leads()) {
    return absl::AbortedError("the order is of a team that is past");
  }
  TeamMessage done = MessageOf(TeamMessage::DONE, attempt);
  BatchResult result;
  const absl::Status made = Make(team->mailbox(), part, order, &result);
  done.mutable_result()->set_loss_sum(result.loss_sum);
  done.mutable_result()->set_correct(result.correct);
  done.set_failed(static_cast<int32_t>(made.code()));
  // What others have sent for it is not wanted any more: they may be waiting for their memory.
  if (!made.ok()) team->mailbox()->BeginAttempt({attempt.generation, attempt.number + 1});
  team->Send(view.leader, done);
  if (made.ok()) part->Told(order.step());
  return made;
}

}  // namespace

absl::StatusOr<FollowerEnd> Follow(Team* team, TeamPart* part, const std::function<bool()>& stop) {
  const uint32_t place = team->view().place;
  while (true) {
    const Team::View view = team->view();
    if (view.finished) return FollowerEnd::kOver;
    if (!view.has_place || view.place != place || view.leads()) return FollowerEnd::kMoved;
    if (stop && stop()) return FollowerEnd::kStopped;
    const std::optional<TeamMessage> order = team->mailbox()->TakeOrder(kPoll);
    if (!order) continue;
    if (order->kind() == TeamMessage::END) {
      if (order->over()) return FollowerEnd::kOver;
      part->Forget();
      continue;
    }
    const absl::Status obeyed = Obey(team, part, stop, *order);
    if (obeyed.ok() || absl::IsAborted(obeyed) || absl::IsCancelled(obeyed)) continue;
    if (!absl::IsFailedPrecondition(obeyed)) return obeyed;
    // The member that it was a part of is none any more: the next leader says which one comes after
    // it.
    spdlog::warn("step not made: {}", std::string(obeyed.message()));
    part->Forget();
    absl::SleepFor(kPause);
  }
}

}  // namespace syncline
