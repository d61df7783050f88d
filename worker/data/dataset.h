#ifndef SYNCLINE_WORKER_DATA_DATASET_H_
#define SYNCLINE_WORKER_DATA_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "worker/data/sample_array.h"

namespace syncline {

// Samples, at hand by number. Immutable and thread-safe. Sample numbers are in [0, size()); not checked.
class Dataset {
 public:
  virtual ~Dataset() = default;

  // Samples.
  virtual uint64_t size() const = 0;
  // Features of each.
  virtual size_t features() const = 0;
  // Categorical fields of each.
  virtual size_t fields() const { return 0; }
  // Labels of each; more than one only where they are classes.
  virtual size_t labels() const { return 1; }

  // Writes the features of samples[i], scaled as the manifest says, to row i of
  // to[samples.size(), features()].
  virtual void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const = 0;
  // Writes the keys of samples[i] to row i of to[samples.size(), fields()]: one a field (common/hash/feature_key.h).
  virtual void CopyKeys(absl::Span<const uint32_t>, uint64_t*) const {}
  // Writes the label of samples[i] to to[i]: a class for CopyClasses, which needs labels that are
  // whole numbers, as those of a softmax model are, and writes to to[samples.size(), labels()].
  virtual void CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const = 0;
  virtual void CopyTargets(absl::Span<const uint32_t> samples, float* to) const = 0;
};

// What readers share: the labels, kept as floats (classes are below 2^24, so they are exact).
class LabelledDataset : public Dataset {
 public:
  explicit LabelledDataset(SampleArray<float> labels) : labels_(std::move(labels)) {}

  uint64_t size() const final { return labels_.size(); }
  void CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const final;
  void CopyTargets(absl::Span<const uint32_t> samples, float* to) const final;

 private:
  const SampleArray<float> labels_;
};

// How features are scaled: (x - mean) / std.
struct FeatureScale {
  double mean = 0;
  double std = 1;
};

// Rows of floats.
class DenseDataset : public LabelledDataset {
 public:
  // `values` is [labels.size(), features].
  DenseDataset(SampleArray<float> values, size_t features, SampleArray<float> labels)
      : LabelledDataset(std::move(labels)), values_(std::move(values)), features_(features) {}

  size_t features() const override { return features_; }
  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override;

 private:
  const SampleArray<float> values_;
  const size_t features_;
};

// Rows of floats and keys: 4 bytes a feature, 8 a field and 4 for the label.
class KeyedDataset : public DenseDataset {
 public:
  // `values` is [labels.size(), features], `keys` [labels.size(), fields].
  KeyedDataset(SampleArray<float> values, size_t features, SampleArray<uint64_t> keys, size_t fields,
               SampleArray<float> labels)
      : DenseDataset(std::move(values), features, std::move(labels)), keys_(std::move(keys)), fields_(fields) {}

  size_t fields() const override { return fields_; }
  void CopyKeys(absl::Span<const uint32_t> samples, uint64_t* to) const override;

 private:
  const SampleArray<uint64_t> keys_;
  const size_t fields_;
};

// Some samples of another data set, renumbered from 0.
class DatasetSubset : public Dataset {
 public:
  DatasetSubset(std::shared_ptr<const Dataset> whole, std::vector<uint32_t> samples)
      : whole_(std::move(whole)), samples_(std::move(samples)) {}

  uint64_t size() const override { return samples_.size(); }
  size_t features() const override { return whole_->features(); }
  size_t fields() const override { return whole_->fields(); }
  size_t labels() const override { return whole_->labels(); }
  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override;
  void CopyKeys(absl::Span<const uint32_t> samples, uint64_t* to) const override;
  void CopyClasses(absl::Span<const uint32_t> samples, int32_t* to) const override;
  void CopyTargets(absl::Span<const uint32_t> samples, float* to) const override;

 private:
  std::vector<uint32_t> Renumber(absl::Span<const uint32_t> samples) const;

  const std::shared_ptr<const Dataset> whole_;
  const std::vector<uint32_t> samples_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_DATASET_H_
