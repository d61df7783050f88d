#ifndef SYNCLINE_WORKER_CLIENT_COMPLETION_LOOP_H_
#define SYNCLINE_WORKER_CLIENT_COMPLETION_LOOP_H_

#include <thread>

#include "grpcpp/completion_queue.h"

namespace syncline {

// A completion queue and the one thread that serves it: it reads the sockets of the calls begun on
// the queue and tells their events. gRPC's callbacks do the same with several threads that take
// turns at polling; handing the turn over wakes a thread for each event, which on a busy machine
// costs more than the event.
class CompletionLoop {
 public:
  // What a call or an alarm on the queue gives as its tag.
  class Event {
   public:
    virtual ~Event() = default;
    // On the loop's thread; must not block. The event may delete itself.
    virtual void Happened() = 0;
  };

  CompletionLoop();
  // Nothing may be under way on the queue any more.
  ~CompletionLoop();

  grpc::CompletionQueue* queue() { return &queue_; }

 private:
  grpc::CompletionQueue queue_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_COMPLETION_LOOP_H_
