#ifndef SYNCLINE_WORKER_DATA_SAMPLE_TABLE_H_
#define SYNCLINE_WORKER_DATA_SAMPLE_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/sample_array.h"

namespace syncline {

// Collects samples as a file of lines is read: of each its features, the keys of its fields and its label. Not
// thread-safe.
class SampleTable {
 public:
  // `scratch`: the folder of a file that samples are kept in; empty: in memory.
  SampleTable(size_t features, size_t fields, FeatureScale scale, const std::string& scratch);

  void AddFeature(float value) {
    features_.push_back(scaled_ ? static_cast<float>((value - scale_.mean) / scale_.std) : value);
  }
  void AddKey(uint64_t key) { keys_.push_back(key); }
  void AddLabel(float label) { labels_.push_back(label); }

  size_t samples() const { return labels_.size(); }
  // Whether it is of use to go on: the file may not be writable any more.
  absl::Status status() const;
  // Once.
  absl::StatusOr<std::unique_ptr<Dataset>> Finish();

 private:
  const size_t feature_count_;
  const size_t field_count_;
  const FeatureScale scale_;
  const bool scaled_;
  GrowingArray<float> features_;
  GrowingArray<uint64_t> keys_;
  GrowingArray<float> labels_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_SAMPLE_TABLE_H_
