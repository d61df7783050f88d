#ifndef SYNCLINE_COMMON_OPTIMIZER_SCHEDULE_H_
#define SYNCLINE_COMMON_OPTIMIZER_SCHEDULE_H_

#include "absl/status/status.h"
#include "proto/job.pb.h"

namespace syncline {

// The learning rate of the update that comes after `step` others (0 for the first; a fraction when
// pushes are counted over several workers). `schedule` has passed ValidateSchedule; unset fields
// mean their defaults.
//
// Warm-up: base step / warmup_steps for the first warmup_steps, 0 at the very first. After it, with
// t the steps since its end, T = total_steps and f = final_ratio:
//   constant      base
//   step          base gamma^floor(t / step_size)
//   cosine        base (f + (1 - f) (1 + cos(pi t / T)) / 2), then base f (Loshchilov, Hutter 2017)
//   polynomial    base (f + (1 - f) (1 - t / T)^power), then base f
//   inverse_sqrt  base sqrt(w / max(step, w)), w = max(warmup_steps, 1) (Vaswani et al. 2017)
double LearningRate(const Schedule& schedule, double base, double step);

// INVALID_ARGUMENT naming the field and the range it must be in.
absl::Status ValidateSchedule(const Schedule& schedule);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OPTIMIZER_SCHEDULE_H_
