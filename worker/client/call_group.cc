#include "worker/client/call_group.h"

namespace syncline {

bool CallGroup::Enter() {
  absl::MutexLock lock(&mu_);
  if (closing_) return false;
  ++calls_;
  return true;
}

void CallGroup::Leave() {
  absl::MutexLock lock(&mu_);
  --calls_;
}

void CallGroup::Close() {
  absl::MutexLock lock(&mu_);
  closing_ = true;
  contexts_.Cancel();
  const auto left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return calls_ == 0; };
  mu_.Await(absl::Condition(&left));
}

bool CallGroup::closing() const {
  absl::MutexLock lock(&mu_);
  return closing_;
}

}  // namespace syncline
