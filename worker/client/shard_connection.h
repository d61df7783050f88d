#ifndef SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_
#define SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/rpc/completion_loop.h"
#include "common/rpc/security.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "worker/client/call_group.h"

namespace syncline {

// The way to one shard: a few channels, and unary calls of raw bytes on them, repeated while the
// shard is away. Everything we send may be sent twice. Thread-safe.
class ShardConnection {
 public:
  enum class Method { kPush, kPull, kCommit };
  // Makes the request anew for each attempt. `lifetime` must be kept by every slice that points to
  // memory of the caller: after a failure, `done` waits until gRPC has let go of all of them.
  using MakeRequest = std::function<grpc::ByteBuffer(std::shared_ptr<const void> lifetime)>;
  using Done = std::function<void(absl::StatusOr<grpc::ByteBuffer>)>;
  using Queues = std::vector<grpc::CompletionQueue*>;

  struct Options {
    std::string address;
    SecurityOptions security;
    int channels = 2;
    // How long a shard may be away.
    absl::Duration patience = absl::Seconds(60);
    // Calls of one method under way at a time; others wait here. HTTP/2 sends the messages under way
    // in turns, piece by piece, so with many of them all arrive late, and the first bytes of each
    // have left the receiver's cache before the last ones come.
    int max_in_flight = 8;
  };

  // Channels take turns on `queues`, which CompletionLoops serve. They and `group` must outlive the
  // connection, and the group be closed before it goes.
  static absl::StatusOr<std::unique_ptr<ShardConnection>> Create(const Options& options,
                                                                 CallGroup* group,
                                                                 const Queues& queues);

  // `done` runs once, on a loop's thread, never inside Send (but with CANCELLED when the group is
  // closing).
  void Send(Method method, MakeRequest request, Done done);

 private:
  class Attempts;
  struct Lane {
    int in_flight = 0;
    std::deque<Attempts*> waiting;
  };

  struct Channel {
    std::unique_ptr<grpc::GenericStub> stub;
    grpc::CompletionQueue* queue;
  };

  ShardConnection(Options options, CallGroup* group) : options_(std::move(options)), group_(group) {}
  void Finished(Method method);

  const Options options_;
  CallGroup* const group_;
  std::vector<Channel> channels_;
  std::atomic<uint32_t> turn_{0};
  absl::Mutex mu_;
  Lane lanes_[3] ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_
