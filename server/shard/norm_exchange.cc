#include "server/shard/norm_exchange.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"

namespace syncline {

void NormExchange::BeginAt(uint64_t step) {
  absl::MutexLock lock(&mu_);
  first_ = step;
}

void NormExchange::SetOwn(uint64_t step, const StepNormsReply& own) {
  absl::MutexLock lock(&mu_);
  if (step_ == step) return;
  previous_.reset();
  if (step_ && *step_ + 1 == step) previous_ = Known();
  step_ = step;
  own_ = own;
  squared_.assign(chunks_, -1);
  missing_ = chunks_;
  Add(own);
}

void NormExchange::Restart(uint64_t step) {
  absl::MutexLock lock(&mu_);
  if (step_ != step) return;
  step_.reset();
  if (!previous_) return;
  step_ = step - 1;
  own_ = *std::exchange(previous_, std::nullopt);
}

StepNormsReply NormExchange::Known() const {
  if (missing_ > 0) return own_;
  StepNormsReply all;
  for (uint32_t chunk = 0; chunk < squared_.size(); ++chunk) {
    all.add_chunks(chunk);
    all.add_squared_norms(squared_[chunk]);
  }
  return all;
}

absl::Status NormExchange::AddPeer(uint64_t step, const StepNormsReply& norms) {
  if (norms.chunks_size() != norms.squared_norms_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("norms of step ", step, ": ", norms.chunks_size(), " chunks but ",
                     norms.squared_norms_size(), " norms"));
  }
  for (const uint32_t chunk : norms.chunks()) {
    if (chunk >= chunks_) {
      return absl::InvalidArgumentError(absl::StrCat("norms of step ", step, ": chunk ", chunk,
                                                     " does not exist, there are ", chunks_));
    }
  }
  absl::MutexLock lock(&mu_);
  if (step_ == step) Add(norms);
  return absl::OkStatus();
}

void NormExchange::Add(const StepNormsReply& norms) {
  for (int i = 0; i < norms.chunks_size(); ++i) {
    double& squared = squared_[norms.chunks(i)];
    missing_ -= squared < 0;
    // NaN (on_nonfinite: apply) counts as infinite, so that the norm is known at all.
    squared = std::isnan(norms.squared_norms(i)) ? HUGE_VAL : norms.squared_norms(i);
  }
}

bool NormExchange::Begun(uint64_t step) const {
  absl::MutexLock lock(&mu_);
  return step_ == step;
}

std::optional<double> NormExchange::Norm(uint64_t step) const {
  absl::MutexLock lock(&mu_);
  if (step_ != step || missing_ > 0) return std::nullopt;
  double sum = 0;
  for (const double squared : squared_) sum += squared;
  return std::sqrt(sum);
}

absl::StatusOr<StepNormsReply> NormExchange::Own(uint64_t step) const {
  absl::MutexLock lock(&mu_);
  if (step_ == step) return Known();
  if (step_ && *step_ == step + 1 && previous_) return *previous_;
  if (step < first_) return StepNormsReply();
  return absl::UnavailableError(
      absl::StrCat("step ", step, " is not ready on this shard: ask again"));
}

}  // namespace syncline
