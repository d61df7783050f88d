#ifndef SYNCLINE_WORKER_CLIENT_PULL_OPERATION_H_
#define SYNCLINE_WORKER_CLIENT_PULL_OPERATION_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/tensor/fragments.h"
#include "common/wire/chunk_message.h"
#include "worker/client/client.h"
#include "worker/client/router.h"

namespace syncline {

// Versions of the weights a worker holds, by chunk.
using ChunkVersions = std::vector<std::atomic<uint64_t>>;

// Puts the replies of one pull together: copies each chunk to its place, once, on the thread that
// received it, and says when a tensor is complete. Thread-safe.
class PullOperation {
 public:
  // `router` and `versions` must outlive it; `versions` may be null.
  PullOperation(const Router* router, absl::Span<float* const> to, Client::TensorReady ready,
                Client::PullDone done, ChunkVersions* versions);

  // The reply to one of router->pulls(), or why there is none. The last one calls `done`.
  void Receive(const Router::Group& group, absl::StatusOr<grpc::ByteBuffer> reply);

 private:
  absl::Status Take(const Router::Group& group, const grpc::ByteBuffer& reply);
  // `placed`: the shard has put the weights where they belong.
  absl::Status Accept(const WireChunk& chunk, bool placed);
  absl::Status Copy(const ChunkInfo& info, const WireChunk& chunk);
  void Fail(const absl::Status& status);

  const Router* const router_;
  const std::vector<float*> to_;
  const Client::TensorReady ready_;
  const Client::PullDone done_;
  ChunkVersions* const versions_;
  std::vector<std::atomic<size_t>> missing_;  // chunks, by tensor
  std::atomic<size_t> replies_;               // still to come

  absl::Mutex mu_;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Client::PullOutcome outcome_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_PULL_OPERATION_H_
