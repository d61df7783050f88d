#include "worker/data/dataset.h"

#include <algorithm>

namespace syncline {

void LabelledDataset::CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const {
  for (const uint32_t sample : samples) *to++ = static_cast<int32_t>(labels_[sample]);
}

void LabelledDataset::CopyTargets(absl::Span<const uint32_t> samples, float* to) const {
  for (const uint32_t sample : samples) *to++ = labels_[sample];
}

DenseDataset::DenseDataset(std::vector<float> values, size_t features, std::vector<float> labels,
                           FeatureScale scale)
    : LabelledDataset(std::move(labels)), values_(std::move(values)), features_(features) {
  if (scale.mean == 0 && scale.std == 1) return;
  for (float& value : values_) value = static_cast<float>((value - scale.mean) / scale.std);
}

void DenseDataset::CopyFeatures(absl::Span<const uint32_t> samples, float* to) const {
  for (const uint32_t sample : samples) {
    to = std::copy_n(values_.data() + sample * features_, features_, to);
  }
}

void KeyedDataset::CopyKeys(absl::Span<const uint32_t> samples, uint64_t* to) const {
  for (const uint32_t sample : samples) {
    to = std::copy_n(keys_.data() + sample * fields_, fields_, to);
  }
}

void DatasetSubset::CopyFeatures(absl::Span<const uint32_t> samples, float* to) const {
  whole_->CopyFeatures(Renumber(samples), to);
}

void DatasetSubset::CopyKeys(absl::Span<const uint32_t> samples, uint64_t* to) const {
  whole_->CopyKeys(Renumber(samples), to);
}

void DatasetSubset::CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const {
  whole_->CopyClasses(Renumber(samples), to);
}

void DatasetSubset::CopyTargets(absl::Span<const uint32_t> samples, float* to) const {
  whole_->CopyTargets(Renumber(samples), to);
}

std::vector<uint32_t> DatasetSubset::Renumber(absl::Span<const uint32_t> samples) const {
  std::vector<uint32_t> renumbered;
  renumbered.reserve(samples.size());
  for (const uint32_t sample : samples) renumbered.push_back(samples_[sample]);
  return renumbered;
}

}  // namespace syncline
