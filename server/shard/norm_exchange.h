#ifndef SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_
#define SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
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
// A shard can be one step behind another, which waits for its norms; so the step before is kept. One that
// made a step and is lost can tell nobody its norms: then its copies say what it scaled the gradient by.
// Thread-safe.
class NormExchange {
 public:
  // `chunks`: of all shards together. `limit`: clip_norm; 0 or less clips nothing.
  NormExchange(size_t chunks, double limit) : chunks_(chunks), limit_(limit) {}

  // Of steps before this one the shard has no part, and nothing to say.
  void BeginAt(uint64_t step);
  // This shard's own norms; begins `step`, unless it has begun.
  void SetOwn(uint64_t step, const StepNormsReply& own);
  // A shard that is lost made `step` with this scale. Begins it: nobody's norms are wanted any more.
  void SetScale(uint64_t step, float scale);
  // Chunks of other shards have become this one's, so it has more to say of `step`: SetOwn says it.
  void Restart(uint64_t step);
  // What another shard says. False while others' norms are missing. Ignored but for the step that was begun last.
  // INVALID_ARGUMENT for chunks that do not exist, or a scale that is none.
  absl::StatusOr<bool> AddPeer(uint64_t step, const StepNormsReply& norms);

  bool Begun(uint64_t step) const;
  // What the step's gradient is to be scaled by, once that is known.
  std::optional<float> Scale(uint64_t step) const;
  // What other shards want to know of this step or the one before: what SetOwn was given; all norms, where they
  // are known, as the shard they are of may be lost meanwhile; or the scale. UNAVAILABLE when there is none.
  absl::StatusOr<StepNormsReply> Own(uint64_t step) const;

 private:
  struct Step {
    explicit Step(uint64_t n) : number(n) {}

    // All that is known.
    StepNormsReply Known() const;
    void Add(const StepNormsReply& norms);

    uint64_t number;
    StepNormsReply own;
    std::vector<double> squared;  // by chunk; below 0 where not known
    size_t missing = 0;
    std::optional<float> scale;  // by a shard that is lost
  };

  absl::Status Check(uint64_t step, const StepNormsReply& norms) const;
  void Begin(Step step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t chunks_;
  const double limit_;
  mutable absl::Mutex mu_;
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<Step> step_ ABSL_GUARDED_BY(mu_);
  std::optional<Step> previous_ ABSL_GUARDED_BY(mu_);  // the one before *step_
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_NORM_EXCHANGE_H_
