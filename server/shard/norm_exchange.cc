#include "server/shard/norm_exchange.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

void NormExchange::BeginAt(uint64_t step) {
  absl::MutexLock lock(&mu_);
  first_ = step;
}

void NormExchange::Begin(Step step) {
  previous_.reset();
  if (step_ && step_->number + 1 == step.number) previous_ = std::move(step_);
  step_ = std::move(step);
}

void NormExchange::SetOwn(uint64_t step, const StepNormsReply& own) {
  absl::MutexLock lock(&mu_);
  if (step_ && step_->number == step) return;
  Step begun(step);
  begun.own = own;
  begun.squared.assign(chunks_, -1);
  begun.missing = chunks_;
  begun.Add(own);
  Begin(std::move(begun));
}

void NormExchange::SetScale(uint64_t step, float scale) {
  absl::MutexLock lock(&mu_);
  if (!step_ || step_->number != step) Begin(Step(step));
  step_->scale = scale;
}

void NormExchange::Restart(uint64_t step) {
  absl::MutexLock lock(&mu_);
  if (step_ && step_->number == step) step_ = std::exchange(previous_, std::nullopt);
}

StepNormsReply NormExchange::Step::Known() const {
  StepNormsReply known;
  if (scale) {
    known.set_gradient_scale(*scale);
    return known;
  }
  if (missing > 0) return own;
  for (uint32_t chunk = 0; chunk < squared.size(); ++chunk) {
    known.add_chunks(chunk);
    known.add_squared_norms(squared[chunk]);
  }
  return known;
}

absl::Status NormExchange::Check(uint64_t step, const StepNormsReply& norms) const {
  const auto wrong = [step](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("norms of step ", step, ": ", what...));
  };
  if (norms.chunks_size() != norms.squared_norms_size()) {
    return wrong(norms.chunks_size(), " chunks but ", norms.squared_norms_size(), " norms");
  }
  for (const uint32_t chunk : norms.chunks()) {
    if (chunk >= chunks_) return wrong("chunk ", chunk, " does not exist, there are ", chunks_);
  }
  const float scale = norms.gradient_scale();
  if (!(scale >= 0 && scale <= 1)) return wrong("gradient_scale is ", scale, ": it must be from 0 to 1");
  return absl::OkStatus();
}

absl::StatusOr<bool> NormExchange::AddPeer(uint64_t step, const StepNormsReply& norms) {
  SYNCLINE_RETURN_IF_ERROR(Check(step, norms));
  absl::MutexLock lock(&mu_);
  if (!step_ || step_->number != step || step_->scale) return true;
  if (norms.has_gradient_scale()) step_->scale = norms.gradient_scale();
  step_->Add(norms);
  return step_->scale || step_->missing == 0;
}

void NormExchange::Step::Add(const StepNormsReply& norms) {
  for (int i = 0; i < norms.chunks_size(); ++i) {
    double& sum = squared[norms.chunks(i)];
    missing -= sum < 0;
    // NaN (on_nonfinite: apply) counts as infinite, so that the norm is known at all.
    sum = std::isnan(norms.squared_norms(i)) ? HUGE_VAL : norms.squared_norms(i);
  }
}

bool NormExchange::Begun(uint64_t step) const {
  absl::MutexLock lock(&mu_);
  return step_ && step_->number == step;
}

std::optional<float> NormExchange::Scale(uint64_t step) const {
  if (limit_ <= 0) return 1.0f;
  absl::MutexLock lock(&mu_);
  if (!step_ || step_->number != step) return std::nullopt;
  if (step_->scale) return step_->scale;
  if (step_->missing > 0) return std::nullopt;
  double sum = 0;
  for (const double squared : step_->squared) sum += squared;
  const double norm = std::sqrt(sum);
  // PyTorch's clip_grad_norm_ has the same small number in it.
  return norm > limit_ ? static_cast<float>(limit_ / (norm + 1e-6)) : 1.0f;
}

absl::StatusOr<StepNormsReply> NormExchange::Own(uint64_t step) const {
  absl::MutexLock lock(&mu_);
  if (step_ && step_->number == step) return step_->Known();
  if (previous_ && previous_->number == step) return previous_->Known();
  if (step < first_) return StepNormsReply();
  return absl::UnavailableError(
      absl::StrCat("step ", step, " is not ready on this shard: ask again"));
}

}  // namespace syncline
