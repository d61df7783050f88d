#ifndef SYNCLINE_SERVER_STORE_DENSE_CHUNK_H_
#define SYNCLINE_SERVER_STORE_DENSE_CHUNK_H_

#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "common/optimizer/update_rule.h"
#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"
#include "server/store/chunk.h"

namespace syncline {

// A piece of a dense tensor: its weights, the optimizer's state beside them, and a version that
// counts its updates. Snapshots are copy-on-write: they share the memory, and an update writes to
// fresh memory as long as somebody looks at the old. Gradients are summed, scaled and applied block
// by block where they lie, in the order given, so no update makes a pass over memory for itself.
//
// Not thread-safe; a snapshot may be read and dropped on any thread.
class DenseChunk final : public Chunk {
 public:
  // `rule` must outlive the chunk. Weights are 0 and the state is the rule's initial one.
  DenseChunk(const UpdateRule* rule, size_t elements);
  // One that goes on from where another was; `content` has all of the rule's slots.
  DenseChunk(const UpdateRule* rule, uint64_t version, const ChunkContent& content);

  size_t elements() const { return elements_; }
  Fragments state(int slot) const { return state_[slot].Share(); }
  // The first weights, to be written before any snapshot is taken.
  float* initial_weights() { return weights_.floats(); }

  uint64_t version() const override { return version_; }
  size_t bytes() const override { return elements_ * sizeof(float) * (1 + rule_->state_slots()); }
  Fragments weights() const override { return weights_.Share(); }
  ChunkContent content() const override;
  // Sizes must fit; the state has all of the rule's slots.
  absl::Status Restore(uint64_t version, const ChunkContent& content) override;
  void Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) override;
  double SquaredNorm(absl::Span<const Contribution> gradients) const override;
  LayerSums Prepare(absl::Span<const Contribution> gradients, const UpdateSettings& settings) override;
  void Finish(const LayerSums& tensor, const UpdateSettings& settings) override;

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

  void Take(uint64_t version, const ChunkContent& content);
  absl::InlinedVector<Write, kMaxStateSlots> WriteState();
  UpdateStep Step(const UpdateSettings& settings) const;

  const UpdateRule* const rule_;
  const size_t elements_;
  uint64_t version_ = 0;
  Buffer weights_;
  Buffer state_[kMaxStateSlots];
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_DENSE_CHUNK_H_
