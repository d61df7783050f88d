#ifndef SYNCLINE_WORKER_CLIENT_CALL_CONTEXTS_H_
#define SYNCLINE_WORKER_CLIENT_CALL_CONTEXTS_H_

#include <set>

#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"

namespace syncline {

// Attempts of calls that are under way, so that all can be cancelled. Thread-safe.
class CallContexts {
 public:
  // An attempt begins. False once all were cancelled: do not begin it.
  bool Add(grpc::ClientContext* context) {
    absl::MutexLock lock(&mu_);
    return !cancelled_ && contexts_.insert(context).second;
  }
  // It has ended.
  void Remove(grpc::ClientContext* context) {
    absl::MutexLock lock(&mu_);
    contexts_.erase(context);
  }

  void Cancel() {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    // TryCancel only marks the call; its end comes to another thread.
    for (grpc::ClientContext* context : contexts_) context->TryCancel();
  }
  bool cancelled() const {
    absl::MutexLock lock(&mu_);
    return cancelled_;
  }

 private:
  mutable absl::Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::set<grpc::ClientContext*> contexts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_CALL_CONTEXTS_H_
