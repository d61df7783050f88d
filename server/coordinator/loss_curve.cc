#include "server/coordinator/loss_curve.h"

#include <cstddef>

namespace syncline {
namespace {

constexpr size_t kMaxPoints = 1000;
constexpr absl::Duration kWindow = absl::Seconds(2);

}  // namespace

void LossCurve::Add(absl::Time now, const TrainingSums& sums, double epoch, bool last) {
  if (begun_ == absl::InfiniteFuture()) {
    if (sums.samples == 0) return;
    begun_ = last_point_ = now;
  }
  recent_.emplace_back(now, sums.samples);
  while (recent_.size() > 2 && recent_.front().first < now - kWindow) recent_.pop_front();
  if ((now - last_point_ < period_ && !last) || sums.samples == at_last_point_.samples) return;
  LossPoint point;
  point.set_epoch(epoch);
  point.set_seconds(absl::ToDoubleSeconds(now - begun_));
  const auto samples = static_cast<double>(sums.samples - at_last_point_.samples);
  point.set_loss((sums.loss - at_last_point_.loss) / samples);
  if (sums.correct) point.set_accuracy((*sums.correct - at_last_point_.correct.value_or(0)) / samples);
  points_.push_back(point);
  last_point_ = now;
  at_last_point_ = sums;
  if (points_.size() < kMaxPoints) return;
  // Half the points, each for two; the next ones come half as often.
  for (size_t i = 0; i < points_.size() / 2; ++i) {
    const LossPoint first = points_[2 * i];
    points_[i] = points_[2 * i + 1];
    points_[i].set_loss((first.loss() + points_[i].loss()) / 2);
    if (points_[i].has_accuracy()) points_[i].set_accuracy((first.accuracy() + points_[i].accuracy()) / 2);
  }
  points_.resize(points_.size() / 2);
  period_ *= 2;
}

double LossCurve::samples_per_second() const {
  if (recent_.size() < 2) return 0;
  const double seconds = absl::ToDoubleSeconds(recent_.back().first - recent_.front().first);
  if (seconds <= 0) return 0;
  return static_cast<double>(recent_.back().second - recent_.front().second) / seconds;
}

}  // namespace syncline
