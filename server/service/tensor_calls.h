#ifndef SYNCLINE_SERVER_SERVICE_TENSOR_CALLS_H_
#define SYNCLINE_SERVER_SERVICE_TENSOR_CALLS_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/memory/local_frame.h"
#include "common/memory/worker_link.h"
#include "common/threads/parallel_for.h"
#include "common/time/steady_now.h"
#include "common/wire/chunk_message.h"
#include "grpcpp/support/byte_buffer.h"
#include "proto/parameter_server.pb.h"
#include "server/service/shard_host.h"

namespace syncline {

// Push, commit and pull as encoded messages, whichever way they come: through gRPC, without a link,
// or over the link of a worker on this host, which may then name places in the memory it lends
// instead of sending tensors. Each call checks the request, calls the core and encodes the reply.
//
// Thread-safe. Nothing here blocks for another worker.
class TensorCalls {
 public:
  using Done = std::function<void(absl::StatusOr<grpc::ByteBuffer>)>;

  struct Options {
    // Spreads large pulls over threads; may be null.
    ParallelFor parallel_for;
    // Gradients on their way here, of all workers together: each is granted its part.
    uint64_t receive_bytes = uint64_t{1} << 30;
  };

  // `host` must outlive this.
  TensorCalls(ShardHost* host, Options options) : host_(host), options_(std::move(options)) {}

  // `done` runs once, at once or when the push would outlive this shard.
  void Push(const grpc::ByteBuffer& request, std::shared_ptr<WorkerLink> link, Done done);
  absl::StatusOr<grpc::ByteBuffer> Commit(const grpc::ByteBuffer& request, WorkerLink* link);
  // From another shard.
  absl::StatusOr<grpc::ByteBuffer> HandOver(const grpc::ByteBuffer& request);
  // `done` runs once, at once or when the policy lets the pull through. Returns what to call if the
  // caller gives up before (it runs `done`, or does nothing); null if `done` has run.
  std::function<void()> Pull(const grpc::ByteBuffer& request, std::shared_ptr<WorkerLink> link,
                             Done done);
  // The three of them in this order; what one refuses ends it. As Pull.
  std::function<void()> PushPull(const grpc::ByteBuffer& request, std::shared_ptr<WorkerLink> link,
                                 Done done);

  // A call of a worker on this host. For LocalPlane.
  void ServeLocal(const std::shared_ptr<WorkerLink>& link, const LocalFrame& call,
                  absl::string_view body);

  // How long ago a worker last committed, or this process began.
  absl::Duration SinceLastCommit() const;
  // Bytes of tensors that went through lent memory.
  uint64_t shared_bytes() const { return shared_bytes_; }

 private:
  static void WhenArrived(const std::shared_ptr<Shard>& shard, const absl::Status& refused, const Done& done,
                          std::function<void()> again);
  absl::StatusOr<grpc::ByteBuffer> HandOverLent(absl::string_view body, WorkerLink* link);
  absl::StatusOr<bool> CommitTo(Shard* shard, const CommitRequest& commit);
  // Where in a worker's memory the weights of a pull go, or how the reply carries them.
  struct Place {
    std::shared_ptr<WorkerLink> link;
    uint64_t segment = 0;
    std::vector<uint64_t> offsets;
    std::vector<Codec> codecs;  // by chunk in turn
    std::vector<size_t> counts{};  // of rows, by chunk, or none
    // Rows of tables, which are there by now.
    bool rows = false;
    uint64_t row_bytes = 0;
  };

  // `head`: what the reply says beside the weights.
  std::function<void()> Pull(PullRequest pull, PullReply head,
                             std::shared_ptr<WorkerLink> link, Done done);
  absl::StatusOr<Shard::PushResult> Push(const DecodedPush& push, Shard* shard, WorkerLink* link);
  // The gradients of a push, in the message or where the worker lends them.
  absl::StatusOr<std::vector<ChunkGradient>> GradientsOf(const DecodedPush& push,
                                                         const Shard& shard, WorkerLink* link);
  absl::Status CheckPull(const PullRequest& pull, const WorkerLink* link) const;
  absl::StatusOr<grpc::ByteBuffer> ReplyTo(const Shard::PullResult& result, PullReply head,
                                           const Place& place);

  ShardHost* const host_;
  const Options options_;
  std::atomic<uint64_t> shared_bytes_{0};
  std::atomic<int64_t> last_commit_{absl::ToUnixNanos(SteadyNow())};
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_TENSOR_CALLS_H_
