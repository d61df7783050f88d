#include "worker/team/follower.h"

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(100);

absl::Status Obey(Team* team, TeamPart* part, const std::function<bool()>& stop, const TeamMessage& order) {
  const TeamAttempt attempt = AttemptOf(order);
  // The leader may have heard of the team as it is now before this process.
  const auto heard = [&](const Team::View& view) {
    return !view.has_place || view.generation >= attempt.generation;
  };
  SYNCLINE_ASSIGN_OR_RETURN(const Team::View view, team->Await(heard, stop));
  if (view.generation != attempt.generation || view.leads()) {
    return absl::AbortedError("the order is of a team that is past");
  }
  SYNCLINE_RETURN_IF_ERROR(part->Prepare(order.step()));
  team->mailbox()->BeginAttempt(attempt);
  TeamMessage done;
  SYNCLINE_RETURN_IF_ERROR(order.kind() == TeamMessage::STEP
                               ? part->Step(order.step(), attempt, done.mutable_result())
                               : part->Evaluate(order.step(), attempt, done.mutable_result()));
  done.set_kind(TeamMessage::DONE);
  done.set_generation(attempt.generation);
  done.set_attempt(attempt.number);
  team->Send(view.leader, done);
  part->Told(order.step());
  return absl::OkStatus();
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
    // The member that it was a part of is none any more: the next leader says which one comes after it.
    spdlog::warn("step not made: {}", std::string(obeyed.message()));
    part->Forget();
  }
}

}  // namespace syncline
