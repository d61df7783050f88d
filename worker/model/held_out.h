#ifndef SYNCLINE_WORKER_MODEL_HELD_OUT_H_
#define SYNCLINE_WORKER_MODEL_HELD_OUT_H_

#include <optional>
#include <utility>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// How well logits tell labels 0 and 1 apart, exactly, over all samples that were added, in any order and from any
// number of these. 8 bytes a sample. Not thread-safe.
class BinaryScores {
 public:
  // As many of one as of the other; a label above 0.5 is 1.
  void Add(absl::Span<const float> logits, absl::Span<const float> labels);
  void Merge(const BinaryScores& other);

  size_t size() const { return samples_.size(); }
  // The area under the ROC curve: how likely a sample of 1 has a higher logit than one of 0, equal ones counting half
  // (Mann and Whitney 1947). In O(n log n). None without both labels, or if a logit is NaN.
  std::optional<double> Auc() const;
  // The mean of -log of the probability that a logit gives to its label. None without samples.
  std::optional<double> LogLoss() const;

 private:
  std::vector<std::pair<float, float>> samples_;  // logit, label
};

// The root of the mean squared error. Not thread-safe.
class SquaredErrors {
 public:
  void Add(absl::Span<const float> predictions, absl::Span<const float> targets);
  void Merge(const SquaredErrors& other);
  // None without samples.
  std::optional<double> Rmse() const;

 private:
  double sum_ = 0;
  double count_ = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_HELD_OUT_H_
