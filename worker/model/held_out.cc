#include "worker/model/held_out.h"

#include <algorithm>
#include <cmath>

namespace syncline {

void BinaryScores::Add(absl::Span<const float> logits, absl::Span<const float> labels) {
  for (size_t i = 0; i < logits.size(); ++i) samples_.emplace_back(logits[i], labels[i] > 0.5f ? 1.0f : 0.0f);
}

void BinaryScores::Merge(const BinaryScores& other) {
  samples_.insert(samples_.end(), other.samples_.begin(), other.samples_.end());
}

std::optional<double> BinaryScores::Auc() const {
  auto samples = samples_;
  for (const auto& sample : samples) {
    if (std::isnan(sample.first)) return std::nullopt;
  }
  std::sort(samples.begin(), samples.end());
  double zeros = 0, ones = 0, above = 0;  // so far; pairs in which the 1 is above the 0
  for (size_t begin = 0; begin < samples.size();) {
    size_t end = begin;
    double equal_ones = 0;
    for (; end < samples.size() && samples[end].first == samples[begin].first; ++end) equal_ones += samples[end].second;
    const double equal_zeros = static_cast<double>(end - begin) - equal_ones;
    above += equal_ones * (zeros + equal_zeros / 2);
    zeros += equal_zeros;
    ones += equal_ones;
    begin = end;
  }
  if (zeros == 0 || ones == 0) return std::nullopt;
  return above / zeros / ones;
}

std::optional<double> BinaryScores::LogLoss() const {
  if (samples_.empty()) return std::nullopt;
  double sum = 0;
  for (const auto& [logit, label] : samples_) {
    const double against = label == 1.0f ? -double{logit} : double{logit};
    sum += std::max(against, 0.0) + std::log1p(std::exp(-std::fabs(against)));
  }
  return sum / static_cast<double>(samples_.size());
}

void SquaredErrors::Add(absl::Span<const float> predictions, absl::Span<const float> targets) {
  for (size_t i = 0; i < predictions.size(); ++i) {
    const double error = double{predictions[i]} - targets[i];
    sum_ += error * error;
  }
  count_ += static_cast<double>(predictions.size());
}

void SquaredErrors::Merge(const SquaredErrors& other) {
  sum_ += other.sum_;
  count_ += other.count_;
}

std::optional<double> SquaredErrors::Rmse() const {
  if (count_ == 0) return std::nullopt;
  return std::sqrt(sum_ / count_);
}

}  // namespace syncline
