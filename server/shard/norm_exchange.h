#ifndef SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_
#define SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// Clipping by global norm when the gradient is spread over shards: each works out the squared norm
// of each of its chunks of a step's mean gradient, and gets the others' from them. The sum is taken
// in chunk order, so every shard finds the same number, however many there are.
//
// A shard can be one step behind another, which waits for its norms; so the step before is kept.
// Thread-safe.
class NormExchange {
 public:
  // `chunks`: of all shards together.
  explicit NormExchange(size_t chunks) : chunks_(chunks) {}

  // Of steps before this one the shard has no part, and nothing to say.
  void BeginAt(uint64_t step);
  // This shard's own norms; begins `step`, unless it has begun.
  void SetOwn(uint64_t step, const StepNormsReply& own);
  // Chunks of other shards have become this one's, so it has more to say of `step`: SetOwn says it.
  void Restart(uint64_t step);
  // Another shard's. Ignored but for the step that was begun last. INVALID_ARGUMENT for chunks that
  // do not exist.
  absl::Status AddPeer(uint64_t step, const StepNormsReply& norms);

  bool Begun(uint64_t step) const;
  // The norm over all chunks, once all are known.
  std::optional<double> Norm(uint64_t step) const;
  // What other shards want to know: what SetOwn was given for this step or the one before, or all norms of
  // it where they are known, as the shard they are of may be lost meanwhile. UNAVAILABLE when there is none.
  absl::StatusOr<StepNormsReply> Own(uint64_t step) const;

 private:
  StepNormsReply Known() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Add(const StepNormsReply& norms) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t chunks_;
  mutable absl::Mutex mu_;
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<uint64_t> step_ ABSL_GUARDED_BY(mu_);
  StepNormsReply own_ ABSL_GUARDED_BY(mu_);
  std::optional<StepNormsReply> previous_ ABSL_GUARDED_BY(mu_);  // of *step_ - 1
  std::vector<double> squared_ ABSL_GUARDED_BY(mu_);  // by chunk; below 0 where not known
  size_t missing_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_
