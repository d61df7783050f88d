#ifndef SYNCLINE_WORKER_TENSOR_WEIGHT_EXCHANGE_H_
#define SYNCLINE_WORKER_TENSOR_WEIGHT_EXCHANGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/fragments.h"
#include "worker/model/device.h"
#include "worker/model/parameter.h"
#include "worker/tensor/group_exchange.h"
#include "worker/tensor/slices.h"

namespace syncline {

// The way of weights and gradients between what a process pulls and pushes, its segment of each tensor, and what it
// computes with, its slice. Both lie in the same memory, one after the other: of a tensor that is split its segment
// at the beginning, of another one where it belongs. So the memory of a process is that of its slices, and some
// more for what is on its way. Used by one thread.
class WeightExchange {
 public:
  // `specs`: the parameters as each part has them. `chunk`: floats in a chunk. The group outlives it.
  static absl::StatusOr<std::unique_ptr<WeightExchange>> Create(GroupExchange* group,
                                                                std::vector<std::vector<ParameterSpec>> specs,
                                                                int64_t chunk);

  // Floats that the memory of a parameter must have room for.
  static int64_t Room(const ParameterSpec& spec, size_t parameter, int64_t chunk, const TensorGroup& group);

  // What this process pulls and pushes of a parameter.
  TensorSegment segment(size_t parameter) const { return segment(parameter, group_->part()); }
  // Where all of a tensor would begin, for its segment to lie where it does in the parameter's memory.
  float* TensorAt(size_t parameter, float* memory) const {
    return spec(parameter).slice.whole() ? memory : memory - segment(parameter).begin;
  }

  // From segments to slices, and back. `memory` by parameter, on the host. ABORTED if somebody came or went: then
  // what lies there is undefined.
  absl::Status SpreadWeights(absl::Span<float* const> memory) { return MoveAll(kSpread, memory); }
  absl::Status CollectGradients(absl::Span<float* const> memory) { return MoveAll(kCollect, memory); }

 private:
  enum Way { kSpread, kCollect };
  // Parameters that go together.
  struct Batch {
    size_t begin = 0;
    size_t end = 0;
  };

  WeightExchange(GroupExchange* group, std::vector<std::vector<ParameterSpec>> specs, int64_t chunk)
      : group_(group), specs_(std::move(specs)), chunk_(chunk) {}
  const ParameterSpec& spec(size_t parameter) const { return specs_[group_->part()][parameter]; }
  TensorSegment segment(size_t parameter, int part) const {
    return SegmentOf(spec(parameter).whole_size(), chunk_, parameter, part, group_->parts());
  }
  // The floats of a parameter that is split which lie here before, or after, a move and with part `other` after, or
  // before: run(place in `memory`, floats) for each run of them.
  template <typename Run>
  void ForEach(Way way, bool sends, size_t parameter, int other, float* memory, const Run& run) const;
  absl::Status MoveAll(Way way, absl::Span<float* const> memory);
  absl::Status Move(Way way, const Batch& batch, absl::Span<float* const> memory);
  // What goes to each part.
  std::vector<Fragments> Pack(Way way, const Batch& batch, absl::Span<float* const> memory);
  size_t BytesFrom(Way way, const Batch& batch, int other, absl::Span<float* const> memory) const;
  void Unpack(Way way, const Batch& batch, int other, FloatReader* reader, absl::Span<float* const> memory) const;

  GroupExchange* const group_;
  const std::vector<std::vector<ParameterSpec>> specs_;  // by part
  const int64_t chunk_;
  std::vector<Batch> batches_;
  DeviceMemory packed_;  // what is on its way of a batch
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TENSOR_WEIGHT_EXCHANGE_H_
