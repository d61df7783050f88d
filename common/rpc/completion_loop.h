#ifndef SYNCLINE_COMMON_RPC_COMPLETION_LOOP_H_
#define SYNCLINE_COMMON_RPC_COMPLETION_LOOP_H_

#include <thread>

#include "grpcpp/completion_queue.h"

namespace syncline {

// What a call or an alarm gives its completion queue as a tag.
class CompletionEvent {
 public:
  virtual ~CompletionEvent() = default;
  // On the loop's thread; must not block. `ok` is what the queue says. The event may delete itself.
  virtual void Happened(bool ok) = 0;
};

// The one thread that serves a completion queue: it reads the sockets of the queue's calls and tells
// their events. gRPC's callbacks do the same with several threads that take turns at polling; handing
// the turn over wakes a thread for each event, which on a busy machine costs more than the event.
class CompletionLoop {
 public:
  // All tags of `queue`, which must outlive the loop, are CompletionEvents.
  explicit CompletionLoop(grpc::CompletionQueue* queue);
  // Shuts the queue down, serves what is left of its events, and ends. Nothing may be begun on the
  // queue any more.
  ~CompletionLoop();

 private:
  grpc::CompletionQueue* const queue_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_RPC_COMPLETION_LOOP_H_
