#ifndef SYNCLINE_COMMON_MEMORY_LOCAL_PLANE_H_
#define SYNCLINE_COMMON_MEMORY_LOCAL_PLANE_H_

#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/memory/local_frame.h"
#include "common/memory/local_socket.h"
#include "common/memory/worker_link.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Serves the workers on the host of a shard, or of another worker: they ask over gRPC (AttachMemory), then lend
// their memory and call over a socket of this host, as common/memory/local_frame.h says. A link lives as long as
// its worker's process holds it, so a worker that dies leaves nothing; the blocks belong to the
// workers, so neither does a shard.
//
// Thread-safe. A thread for each link, begun with it, serves its calls one after the other.
class LocalPlane {
 public:
  // Serves a call and leads to one Reply, at once or later. Runs on the link's thread; `body` is the
  // frame's, valid until it returns.
  using Serve = std::function<void(const std::shared_ptr<WorkerLink>& link, const LocalFrame& call,
                                   absl::string_view body)>;

  explicit LocalPlane(Serve serve) : serve_(std::move(serve)) {}
  // Ends all links. Nothing may wait in `serve` for ever.
  ~LocalPlane() { Close(); }
  void Close();

  // How to make a link. The socket is empty for a worker on another host, and where there are no
  // local sockets.
  AttachMemoryReply Offer(const AttachMemoryRequest& request);

  // Blocks lent at the moment.
  size_t blocks() const;

 private:
  struct Offered {
    std::string token;
    Sender worker;
  };
  struct Served {
    std::shared_ptr<WorkerLink> link;  // set once the worker has said who it is
    std::thread thread;
    bool ended = false;
  };

  absl::Status Listen() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Accept();
  void ServeConnection(LocalSocket socket, Served* served);
  absl::StatusOr<std::shared_ptr<WorkerLink>> Greet(LocalSocket socket);
  void ServeCalls(const std::shared_ptr<WorkerLink>& link);
  // Joins the threads of links that have ended.
  void Sweep() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Serve serve_;
  mutable absl::Mutex mu_;
  std::string name_ ABSL_GUARDED_BY(mu_);
  std::deque<Offered> offers_ ABSL_GUARDED_BY(mu_);
  std::list<Served> served_ ABSL_GUARDED_BY(mu_);
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  // Set by Listen, before the thread begins.
  LocalSocket listener_;
  std::thread accepting_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_MEMORY_LOCAL_PLANE_H_
