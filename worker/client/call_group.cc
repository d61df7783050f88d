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

bool CallGroup::Add(grpc::ClientContext* context) {
  absl::MutexLock lock(&mu_);
  if (closing_) return false;
  contexts_.insert(context);
  return true;
}

void CallGroup::Remove(grpc::ClientContext* context) {
  absl::MutexLock lock(&mu_);
  contexts_.erase(context);
}

void CallGroup::Close() {
  absl::MutexLock lock(&mu_);
  closing_ = true;
  // TryCancel only marks the call; its end comes to another thread.
  for (grpc::ClientContext* context : contexts_) context->TryCancel();
  const auto left = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return calls_ == 0; };
  mu_.Await(absl::Condition(&left));
}

bool CallGroup::closing() const {
  absl::MutexLock lock(&mu_);
  return closing_;
}

}  // namespace syncline
