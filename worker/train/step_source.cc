#include "worker/train/step_source.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/status/status_macros.h"

namespace syncline {

StepSource::StepSource(Client* client, uint64_t samples, std::function<bool()> stop)
    : client_(client), samples_(samples), stop_(std::move(stop)) {}

absl::Status StepSource::Ask(Clock from) {
  SYNCLINE_ASSIGN_OR_RETURN(const LeaseReply reply, client_->Lease(samples_, from, clock_));
  steps_.assign(reply.steps().begin(), reply.steps().end());
  finished_ = reply.finished();
  evaluate_ = reply.evaluate();
  return absl::OkStatus();
}

absl::StatusOr<std::optional<StepLease>> StepSource::Next() {
  while (steps_.empty() && !finished_) {
    if (stop_ && stop_()) return std::nullopt;
    SYNCLINE_RETURN_IF_ERROR(Ask(clock_));
    // Nothing for now: others have yet to come, or may yet be lost.
    if (steps_.empty() && !finished_) absl::SleepFor(absl::Milliseconds(20));
  }
  if (finished_) return std::nullopt;
  StepLease step = std::move(steps_.front());
  steps_.pop_front();
  clock_ = step.clock() + 1;
  return step;
}

void StepSource::SkipTo(Clock clock) {
  while (!steps_.empty() && steps_.front().clock() < clock) steps_.pop_front();
  if (clock_ < clock) clock_ = clock;
}

absl::StatusOr<bool> StepSource::StoppedAt(Clock clock) {
  clock_ = clock;
  SYNCLINE_RETURN_IF_ERROR(Ask(clock));
  if (!finished_) absl::SleepFor(absl::Milliseconds(20));
  return finished_;
}

}  // namespace syncline
