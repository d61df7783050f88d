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
#include "worker/client/held_weights.h"
#include "worker/client/router.h"
#include "worker/client/slot_rows.h"
#include "worker/client/tensor_requests.h"

namespace syncline {

// Puts the replies of one pull together: copies each chunk to its place, once, on the thread that
// received it, and says when a tensor is complete. Thread-safe.
class PullOperation {
 public:
  // All must outlive it; `versions` may be null. `groups`: how many replies will come. `rows`: of tables, by tensor.
  PullOperation(const Router* router, size_t groups, const Client::Destination& to,
                Client::PullDone done, ChunkVersions* versions, HeldWeights* held,
                std::vector<std::shared_ptr<const SlotRows>> rows = {});

  // The reply for a group, or why there is none. The last one calls `done`.
  void Receive(const Router::Group& group, absl::StatusOr<grpc::ByteBuffer> reply);
  // The newest shard map that a shard named.
  uint64_t map_epoch() const {
    absl::MutexLock lock(&mu_);
    return map_epoch_;
  }
  // One group's chunks come in `groups` replies after all.
  void SplitInto(size_t groups) { replies_ += groups - 1; }

 private:
  void Finish();
  absl::Status Take(const Router::Group& group, const grpc::ByteBuffer& reply);
  absl::Status Accept(const WireChunk& chunk, const PullReply& head);
  absl::Status Copy(const ChunkInfo& info, const WireChunk& chunk);
  void Fail(const absl::Status& status);

  const Router* const router_;
  const std::vector<float*> to_;
  const Client::TensorReady ready_;
  const Client::PullDone done_;
  ChunkVersions* const versions_;
  HeldWeights* const held_;
  const std::vector<std::shared_ptr<const SlotRows>> rows_;
  std::vector<std::atomic<size_t>> missing_;  // chunks, by tensor
  std::atomic<size_t> replies_;               // still to come

  mutable absl::Mutex mu_;
  uint64_t map_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status error_ ABSL_GUARDED_BY(mu_);
  Client::PullOutcome outcome_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_PULL_OPERATION_H_
