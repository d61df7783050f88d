#include "worker/data/dataset.h"

#include <algorithm>

namespace syncline {

void LabelledDataset::CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const {
  for (const uint32_t sample : samples) *to++ = static_cast<int32_t>(labels_[sample]);
}

void LabelledDataset::CopyTargets(absl::Span<const uint32_t> samples, float* to) const {
  for (const uint32_t sample : samples) *to++ = labels_[sample];
}

void DenseDataset::CopyFeatures(absl::Span<const uint32_t> samples, float* to) const {
  for (const uint32_t sample : samples) {
    to = std::copy_n(values_.At(sample * features_), features_, to);
  }
}

void KeyedDataset::CopyKeys(absl::Span<const uint32_t> samples, uint64_t* to) const {
  for (const uint32_t sample : samples) {
    to = std::copy_n(keys_.At(sample * fields_), fields_, to);
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
