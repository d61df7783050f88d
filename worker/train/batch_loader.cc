#include "worker/train/batch_loader.h"

#include <cstddef>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::Create(
    const Device* device, std::shared_ptr<const Dataset> data, Loss loss, int max_rows) {
  std::unique_ptr<BatchLoader> loader(
      new BatchLoader(device, std::move(data), loss == SOFTMAX_CROSS_ENTROPY, max_rows));
  using Place = DeviceMemory::Place;
  const size_t rows = static_cast<size_t>(max_rows);
  const size_t features = rows * loader->data_->features() * sizeof(float);
  loader->keys_.resize(rows * loader->data_->fields());
  const size_t labels = rows * loader->data_->labels() * sizeof(float);  // a class is as large
  SYNCLINE_ASSIGN_OR_RETURN(loader->features_,
                            DeviceMemory::Allocate(device, features, Place::kHost));
  SYNCLINE_ASSIGN_OR_RETURN(loader->labels_, DeviceMemory::Allocate(device, labels, Place::kHost));
  if (!device->host_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(loader->device_features_, DeviceMemory::Allocate(device, features));
    SYNCLINE_ASSIGN_OR_RETURN(loader->device_labels_, DeviceMemory::Allocate(device, labels));
  }
  return loader;
}

absl::Status BatchLoader::Upload(const DeviceMemory& from, const DeviceMemory& to,
                                 size_t bytes) const {
  return device_->Run(&Backend::copy, kComputeStream, to.data(), from.data(), bytes);
}

absl::StatusOr<Batch> BatchLoader::Load(absl::Span<const uint32_t> samples) {
  if (samples.size() > static_cast<size_t>(max_rows_)) {
    return absl::InvalidArgumentError(
        absl::StrCat("a batch of ", samples.size(), " samples, at most ", max_rows_));
  }
  data_->CopyFeatures(samples, features_.floats());
  data_->CopyKeys(samples, keys_.data());
  if (classes_) {
    data_->CopyClasses(samples, static_cast<int32_t*>(labels_.data()));
  } else {
    data_->CopyTargets(samples, labels_.floats());
  }
  const DeviceMemory* features = &features_;
  const DeviceMemory* labels = &labels_;
  if (!device_->host_memory()) {
    features = &device_features_;
    labels = &device_labels_;
    const size_t row = data_->features() * sizeof(float);
    SYNCLINE_RETURN_IF_ERROR(Upload(features_, device_features_, samples.size() * row));
    SYNCLINE_RETURN_IF_ERROR(Upload(labels_, device_labels_, samples.size() * data_->labels() * sizeof(float)));
  }
  Batch batch;
  batch.rows = static_cast<int>(samples.size());
  batch.features = features->floats();
  if (classes_) {
    batch.labels = static_cast<const int32_t*>(labels->data());
  } else {
    batch.targets = labels->floats();
  }
  return batch;
}

}  // namespace syncline
