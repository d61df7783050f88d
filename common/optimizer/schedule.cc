#include "common/optimizer/schedule.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace syncline {
namespace {

constexpr double kPi = 3.14159265358979323846;

// The part of base that is left when `done` of the way from 1 to `schedule`'s final ratio is left.
double Towards(const Schedule& schedule, double left) {
  return schedule.final_ratio() + (1 - schedule.final_ratio()) * left;
}

double Decay(const Schedule& schedule, double step) {
  const double warmup = static_cast<double>(schedule.warmup_steps());
  const double t = step - warmup;
  const double total = schedule.has_total_steps() ? schedule.total_steps() : 1000;
  const double progress = std::min(t / total, 1.0);
  switch (schedule.kind()) {
    case STEP: {
      const double size = schedule.has_step_size() ? schedule.step_size() : 1000;
      return std::pow(schedule.has_gamma() ? schedule.gamma() : 0.1, std::floor(t / size));
    }
    case COSINE:
      return Towards(schedule, (1 + std::cos(kPi * progress)) / 2);
    case POLYNOMIAL:
      return Towards(schedule,
                     std::pow(1 - progress, schedule.has_power() ? schedule.power() : 1));
    case INVERSE_SQRT: {
      const double scale = std::max(warmup, 1.0);
      return std::sqrt(scale / std::max(step, scale));
    }
    default:
      return 1;
  }
}

absl::Status Bad(const char* field, double value, const char* range) {
  return absl::InvalidArgumentError(
      absl::StrCat("optimizer.schedule.", field, " is ", value, "; it must be ", range));
}

}  // namespace

double LearningRate(const Schedule& schedule, double base, double step) {
  const double warmup = static_cast<double>(schedule.warmup_steps());
  return step < warmup ? base * step / warmup : base * Decay(schedule, step);
}

absl::Status ValidateSchedule(const Schedule& schedule) {
  if (!ScheduleKind_IsValid(schedule.kind())) {
    return Bad("kind", schedule.kind(), "constant, step, cosine, polynomial or inverse_sqrt");
  }
  if (schedule.has_step_size() && schedule.step_size() == 0) {
    return Bad("step_size", 0, "at least 1");
  }
  if (schedule.has_total_steps() && schedule.total_steps() == 0) {
    return Bad("total_steps", 0, "at least 1");
  }
  if (schedule.has_gamma() && !(schedule.gamma() > 0 && schedule.gamma() <= 1)) {
    return Bad("gamma", schedule.gamma(), "above 0 and at most 1");
  }
  if (!(schedule.final_ratio() >= 0 && schedule.final_ratio() <= 1)) {
    return Bad("final_ratio", schedule.final_ratio(), "from 0 to 1");
  }
  if (schedule.has_power() && !(schedule.power() > 0 && std::isfinite(schedule.power()))) {
    return Bad("power", schedule.power(), "above 0");
  }
  return absl::OkStatus();
}

}  // namespace syncline
