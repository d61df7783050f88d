#ifndef SYNCLINE_WORKER_MODEL_TENSOR_GROUP_H_
#define SYNCLINE_WORKER_MODEL_TENSOR_GROUP_H_

#include <cstddef>

#include "absl/status/status.h"
#include "common/cluster/layer_split.h"

namespace syncline {

// The processes that share each layer of a network (tensor parallelism), as its layers see them. All of them
// compute the same batches and call the same in the same order; a call returns when this process has what it asks
// for. Memory is the device's. Used by one thread. ABORTED if somebody came or went.
class TensorGroup {
 public:
  TensorGroup(int part, int parts) : part_(part), parts_(parts) {}
  virtual ~TensorGroup() = default;

  int part() const { return part_; }
  int parts() const { return parts_; }

  // data[floats] becomes the sum over all processes', the same bits in each, when FinishSum returns; it is left
  // alone from StartSum on. One sum at a time, and nothing else of this meanwhile.
  virtual absl::Status StartSum(float* data, size_t floats) = 0;
  virtual absl::Status FinishSum() = 0;
  absl::Status Sum(float* data, size_t floats) {
    const absl::Status started = StartSum(data, floats);
    return started.ok() ? FinishSum() : started;
  }
  // whole[rows, width], of whose columns each process has its part: own[rows, those of PartOf(width)].
  virtual absl::Status Gather(int rows, int width, const float* own, float* whole) = 0;
  // The other way round; nothing is sent.
  virtual absl::Status Take(int rows, int width, const float* whole, float* own) = 0;

 private:
  const int part_;
  const int parts_;
};

// One of them alone, to see what it has, or how long it computes: what the others make is left out.
class LonePart final : public TensorGroup {
 public:
  using TensorGroup::TensorGroup;
  absl::Status StartSum(float*, size_t) override { return absl::OkStatus(); }
  absl::Status FinishSum() override { return absl::OkStatus(); }
  absl::Status Gather(int, int, const float*, float*) override { return absl::OkStatus(); }
  absl::Status Take(int, int, const float*, float*) override { return absl::OkStatus(); }
};

// What a process has of one dimension of a layer: of each of `blocks` blocks of `block` places, those [begin, end).
struct AxisPart {
  int blocks = 1;
  int block = 0;
  int begin = 0;
  int end = 0;

  static AxisPart Whole(int places) { return {1, places, 0, places}; }
  // This process's part; all of it without a group.
  static AxisPart Of(int places, const TensorGroup* group) {
    if (group == nullptr) return Whole(places);
    const PartRange range = PartOf(places, group->part(), group->parts());
    return {1, places, static_cast<int>(range.begin), static_cast<int>(range.end)};
  }
  int whole() const { return blocks * block; }
  int here() const { return blocks * (end - begin); }
  bool split() const { return here() < whole(); }
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_TENSOR_GROUP_H_
