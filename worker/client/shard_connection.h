#ifndef SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_
#define SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "common/memory/local_link.h"
#include "common/rpc/completion_loop.h"
#include "common/rpc/security.h"
#include "grpcpp/completion_queue.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/support/byte_buffer.h"
#include "worker/client/call_contexts.h"
#include "worker/client/call_group.h"
#include "worker/client/flow_window.h"

namespace syncline {

// The way to one shard: a few channels, and unary calls of raw bytes on them, repeated while the
// shard is away. A shard on this host is called over a LocalLink for as long as that stands.
// Everything we send may be sent twice. Thread-safe.
class ShardConnection {
 public:
  enum class Method { kPush, kPull, kCommit, kPushPull };
  struct Call {
    Method method;
    Clock clock;   // that it belongs to
    size_t bytes;  // of tensors that go one way or the other
  };
  // Makes the request anew for each attempt. With a link, for that: it may name places in lent memory;
  // nothing, if it cannot be made for a link. Without one, `lifetime` must be kept by every slice that
  // points to memory of the caller: after a failure, `done` waits until gRPC has let go of all.
  using MakeRequest = std::function<std::optional<grpc::ByteBuffer>(
      std::shared_ptr<const void> lifetime, const LocalLink* link)>;
  using Done = std::function<void(absl::StatusOr<grpc::ByteBuffer>)>;
  using Queues = std::vector<grpc::CompletionQueue*>;

  struct Options {
    std::string address;
    SecurityOptions security;
    int channels = 2;
    // How long a shard may be away.
    absl::Duration patience = absl::Seconds(60);
    // Asked after an attempt that failed: whether what belongs to `clock` is no matter of this shard any more, so that
    // the call ends with ABORTED. Must not block. Null: it always is.
    std::function<bool(Clock clock)> gone;
    // Bytes of pushes under way at a time, and of what pulls ask for; other calls wait here. HTTP/2
    // sends the messages under way in turns, piece by piece, so with many of them all arrive late, and
    // the first bytes of each have left the receiver's cache before the last ones come.
    FlowWindow::Options window;
  };

  // Channels take turns on `queues`, which CompletionLoops serve. They and `group` must outlive the
  // connection, and the group be closed before it goes.
  static absl::StatusOr<std::unique_ptr<ShardConnection>> Create(const Options& options,
                                                                 CallGroup* group,
                                                                 const Queues& queues);

  // Before the first Send.
  void SetLink(std::unique_ptr<LocalLink> link) { link_ = std::move(link); }
  bool has_link() const { return link_ != nullptr; }
  // Lends one more block to the shard, where there is a link.
  void Lend(std::shared_ptr<const SharedMemory> block) {
    if (link_ != nullptr) link_->Lend(std::move(block));
  }
  // What is under way on the link goes on through the network.
  void CloseLink() {
    if (link_ != nullptr) link_->Close();
  }

  // The shard is lost: what is under way, or will be sent, ends with ABORTED, for it may be said to others.
  // On a link first the shard's side must have closed, as it may still write to lent memory.
  void Abandon() { contexts_.Cancel(); }
  bool abandoned() const { return contexts_.cancelled(); }

  // `done` runs once, on a loop's or the link's thread, never inside Send (but with CANCELLED when the group is closing).
  void Send(const Call& call, MakeRequest request, Done done);
  // Bytes a second that pushes have been seen to be delivered with of late, through the network; 0: not
  // known.
  double rate();
  // The shard has room for so many bytes of this worker's pushes.
  void Grant(size_t bytes);

 private:
  class Attempts;
  // Calls of a method.
  struct Lane {
    size_t bytes = 0;  // under way
    std::deque<Attempts*> waiting;
  };

  struct Channel {
    std::unique_ptr<grpc::GenericStub> stub;
    grpc::CompletionQueue* queue;
  };

  ShardConnection(Options options, CallGroup* group)
      : options_(std::move(options)), group_(group), window_(options_.window) {}
  bool HasRoom(const Lane& lane, size_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Counts a call that is about to begin.
  void Enter(Lane* lane, Attempts* attempts) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finished(const Attempts& attempts, bool delivered);

  const Options options_;
  CallGroup* const group_;
  std::vector<Channel> channels_;
  std::unique_ptr<LocalLink> link_;
  std::atomic<uint32_t> turn_{0};
  CallContexts contexts_;
  absl::Mutex mu_;
  FlowWindow window_ ABSL_GUARDED_BY(mu_);  // of pushes; pulls keep to it too
  Lane lanes_[4] ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_SHARD_CONNECTION_H_
