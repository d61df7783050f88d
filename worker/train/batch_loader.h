#ifndef SYNCLINE_WORKER_TRAIN_BATCH_LOADER_H_
#define SYNCLINE_WORKER_TRAIN_BATCH_LOADER_H_

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/job.pb.h"
#include "worker/data/dataset.h"
#include "worker/model/device.h"
#include "worker/model/loss.h"

namespace syncline {

// Puts samples where a network reads them. Memory is made once and used again. Not thread-safe.
class BatchLoader {
 public:
  // `device` must outlive the loader; `loss` decides between classes and targets.
  static absl::StatusOr<std::unique_ptr<BatchLoader>> Create(const Device* device,
                                                             std::shared_ptr<const Dataset> data,
                                                             Loss loss, int max_rows);

  // A batch of these samples, at most max_rows. Valid until the next call, which may come when
  // whatever was computed on this one is done.
  absl::StatusOr<Batch> Load(absl::Span<const uint32_t> samples);

  // Keys of the samples of the last Load, [samples, data().fields()], in host memory.
  const uint64_t* keys() const { return keys_.data(); }

  const Dataset& data() const { return *data_; }
  int max_rows() const { return max_rows_; }

 private:
  BatchLoader(const Device* device, std::shared_ptr<const Dataset> data, bool classes, int max_rows)
      : device_(device), data_(std::move(data)), classes_(classes), max_rows_(max_rows) {}
  absl::Status Upload(const DeviceMemory& from, const DeviceMemory& to, size_t bytes) const;

  const Device* const device_;
  const std::shared_ptr<const Dataset> data_;
  const bool classes_;
  const int max_rows_;
  std::vector<uint64_t> keys_;
  DeviceMemory features_, labels_;                // on the host
  DeviceMemory device_features_, device_labels_;  // empty where device memory is host memory
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TRAIN_BATCH_LOADER_H_
