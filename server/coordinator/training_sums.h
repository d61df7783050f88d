#ifndef SYNCLINE_SERVER_COORDINATOR_TRAINING_SUMS_H_
#define SYNCLINE_SERVER_COORDINATOR_TRAINING_SUMS_H_

#include <cstdint>
#include <optional>

#include "proto/coordinator.pb.h"

namespace syncline {

// What members have trained on, and what it came to.
struct TrainingSums {
  uint64_t samples = 0;
  double loss = 0;
  std::optional<double> correct{};  // none with mean squared error

  void Add(const WorkerProgress& progress) {
    samples += progress.samples();
    loss += progress.loss_sum();
    if (progress.has_correct()) correct = correct.value_or(0) + progress.correct();
  }
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_TRAINING_SUMS_H_
