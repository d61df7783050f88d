#include "worker/train/pull_wait.h"

#include <algorithm>
#include <utility>

namespace syncline {

Client::TensorReady PullWait::Ready(std::shared_ptr<PullWait> wait) {
  return [wait = std::move(wait)](size_t tensor) {
    absl::MutexLock lock(&wait->mu_);
    wait->ready_[tensor] = true;
  };
}

Client::PullDone PullWait::Done(std::shared_ptr<PullWait> wait, std::function<void()> ended) {
  return [wait = std::move(wait),
          ended = std::move(ended)](absl::StatusOr<Client::PullOutcome> outcome) {
    ended();
    absl::MutexLock lock(&wait->mu_);
    wait->outcome_ = std::move(outcome);
    wait->done_ = true;
  };
}

absl::Status PullWait::WaitFor(size_t first, size_t count) {
  absl::MutexLock lock(&mu_);
  const auto there = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto begin = ready_.begin() + static_cast<ptrdiff_t>(first);
    return done_ ||
           std::all_of(begin, begin + static_cast<ptrdiff_t>(count), [](bool r) { return r; });
  };
  mu_.Await(absl::Condition(&there));
  if (!done_) return absl::OkStatus();
  if (!outcome_.ok()) return outcome_.status();
  if (outcome_->verdict == PullReply::GRANTED) return absl::OkStatus();
  return absl::AbortedError("the step was not granted");
}

absl::StatusOr<Client::PullOutcome> PullWait::Wait() {
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(&done_));
  return outcome_;
}

}  // namespace syncline
