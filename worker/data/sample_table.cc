#include "worker/data/sample_table.h"

#include <utility>

#include "common/status/status_macros.h"

namespace syncline {

SampleTable::SampleTable(size_t features, size_t fields, FeatureScale scale, const std::string& scratch)
    : feature_count_(features),
      field_count_(fields),
      scale_(scale),
      scaled_(scale.mean != 0 || scale.std != 1),
      features_(scratch),
      keys_(scratch),
      labels_(scratch) {}

absl::Status SampleTable::status() const {
  SYNCLINE_RETURN_IF_ERROR(features_.status());
  SYNCLINE_RETURN_IF_ERROR(keys_.status());
  return labels_.status();
}

absl::StatusOr<std::unique_ptr<Dataset>> SampleTable::Finish() {
  SYNCLINE_ASSIGN_OR_RETURN(SampleArray<float> features, features_.Finish());
  SYNCLINE_ASSIGN_OR_RETURN(SampleArray<float> labels, labels_.Finish());
  if (field_count_ == 0) {
    return std::make_unique<DenseDataset>(std::move(features), feature_count_, std::move(labels));
  }
  SYNCLINE_ASSIGN_OR_RETURN(SampleArray<uint64_t> keys, keys_.Finish());
  return std::make_unique<KeyedDataset>(std::move(features), feature_count_, std::move(keys), field_count_,
                                        std::move(labels));
}

}  // namespace syncline
