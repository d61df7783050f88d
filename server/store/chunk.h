#ifndef SYNCLINE_SERVER_STORE_CHUNK_H_
#define SYNCLINE_SERVER_STORE_CHUNK_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "common/optimizer/update_rule.h"
#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"
#include "proto/job.pb.h"
#include "server/store/update_settings.h"

namespace syncline {

// One of the gradients an update is the weighted sum of: as many floats as the chunk has.
struct Contribution {
  const Fragments* gradient = nullptr;
  float weight = 1;
  // How they are written; decoded block by block as the update goes.
  Codec codec = CODEC_NONE;
};

// A piece of a dense tensor: its weights, the optimizer's state beside them, and a version that
// counts its updates. Snapshots are copy-on-write: they share the memory, and an update writes to
// fresh memory as long as somebody looks at the old. Gradients are summed, scaled and applied block
// by block where they lie, in the order given, so no update makes a pass over memory for itself.
//
// Not thread-safe; a snapshot may be read and dropped on any thread.
class Chunk {
 public:
  // `rule` must outlive the chunk. Weights are 0 and the state is the rule's initial one.
  Chunk(const UpdateRule* rule, size_t elements);

  size_t elements() const { return elements_; }
  uint64_t version() const { return version_; }
  Fragments weights() const { return weights_.Share(); }
  Fragments state(int slot) const { return state_[slot].Share(); }

  // The first weights, to be written before any snapshot is taken.
  float* initial_weights() { return weights_.floats(); }
  // Takes another chunk's place in its history. Sizes must fit; `state` has all of the rule's slots.
  void Restore(uint64_t version, const Fragments& weights, absl::Span<const Fragments> state);

  // One update with the sum of `gradients`.
  void Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings);

  // The squared norm of the sum of `gradients`, as it is, in an order that depends on the number of
  // elements alone.
  double SquaredNorm(absl::Span<const Contribution> gradients) const;

  // The same update in two passes, for rules that look at whole tensors (UpdateRule::layer_wise).
  LayerSums Prepare(absl::Span<const Contribution> gradients, const UpdateSettings& settings);
  void Finish(const LayerSums& tensor, const UpdateSettings& settings);

 private:
  // Where to write what is now in `buffer`, and what to keep afterwards.
  struct Write {
    explicit Write(Buffer* buffer);
    void Commit() { *to = next; }

    Buffer* to;
    const float* in;
    Buffer next;
    float* out;
  };

  absl::InlinedVector<Write, kMaxStateSlots> WriteState();
  UpdateStep Step(const UpdateSettings& settings) const;

  const UpdateRule* const rule_;
  const size_t elements_;
  uint64_t version_ = 0;
  Buffer weights_;
  Buffer state_[kMaxStateSlots];
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_CHUNK_H_
