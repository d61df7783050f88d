#ifndef SYNCLINE_WORKER_CLIENT_CALL_GROUP_H_
#define SYNCLINE_WORKER_CLIENT_CALL_GROUP_H_

#include <cstddef>

#include "absl/synchronization/mutex.h"
#include "grpcpp/client_context.h"
#include "worker/client/call_contexts.h"

namespace syncline {

// The calls of a client that are under way, so that it can end them all before it goes.
// Thread-safe.
class CallGroup {
 public:
  // Counts a call in. False once the group is closing: do not begin it.
  bool Enter();
  // The last thing a call does.
  void Leave();

  // An attempt of a call begins or has ended. False once the group is closing.
  bool Add(grpc::ClientContext* context) { return contexts_.Add(context); }
  void Remove(grpc::ClientContext* context) { contexts_.Remove(context); }

  // Cancels all attempts and waits until every call has left.
  void Close();
  bool closing() const;

 private:
  mutable absl::Mutex mu_;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  size_t calls_ ABSL_GUARDED_BY(mu_) = 0;
  CallContexts contexts_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_CALL_GROUP_H_
