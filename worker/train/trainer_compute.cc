// What a worker computes of a step: alone, with the others of its host, in a team, or over several batches.

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/train/trainer.h"

namespace syncline {

absl::Status Trainer::Compute(const StepLease& step) {
  const absl::Time begin = SteadyNow();
  waited_ = 0;
  pushes_.BeginStep();
  if (stepper_ != nullptr) {
    SYNCLINE_RETURN_IF_ERROR(ComputeHere(step));
  } else if (options_.host != nullptr) {
    SYNCLINE_RETURN_IF_ERROR(ComputeTogether(step));
  } else if (options_.team != nullptr) {
    SYNCLINE_RETURN_IF_ERROR(ComputeInTeam(step));
  } else {
    SYNCLINE_RETURN_IF_ERROR(ComputeAlone(step));
  }
  progress_.set_pull_wait_seconds(progress_.pull_wait_seconds() + waited_);
  progress_.set_compute_seconds(progress_.compute_seconds() + SecondsSince(begin) - waited_);
  return absl::OkStatus();
}

absl::Status Trainer::ComputeAlone(const StepLease& step) {
  SYNCLINE_ASSIGN_OR_RETURN(Batch batch, Load(step, 0, step.count()));
  Network::BackwardOptions backward;
  if (rows_ != nullptr) {
    const absl::Time begin = SteadyNow();
    SYNCLINE_ASSIGN_OR_RETURN(batch.features,
                              rows_->Pull(step.clock(), batch.rows, train_->keys(), batch.features));
    waited_ += SecondsSince(begin);
    backward.input_gradient = rows_->feature_gradient();
  }
  SYNCLINE_RETURN_IF_ERROR(Forward(batch));
  SYNCLINE_RETURN_IF_ERROR(HandInStateIfWanted(step));
  const auto made = [&](size_t parameter) {
    if (!clips_) pushes_.Push(step.clock(), {parameter, options_.network->gradient(parameter)});
    return absl::OkStatus();
  };
  SYNCLINE_RETURN_IF_ERROR(options_.network->Backward(made, backward));
  if (rows_ != nullptr) SYNCLINE_RETURN_IF_ERROR(rows_->Push(step.clock()));
  if (clips_) SYNCLINE_RETURN_IF_ERROR(PushClipped(step.clock()));
  if (LossOf(job_.model()) == LOGISTIC) SYNCLINE_RETURN_IF_ERROR(AddTrainingScores(batch));
  return AddResult();
}

// As in ComputeAlone, with this process's part, then what the others of this host made.
absl::Status Trainer::ComputeTogether(const StepLease& step) {
  HostSum& host = *options_.host;
  const auto push = [&](size_t parameter) {
    if (!clips_) pushes_.Push(step.clock(), {parameter, options_.network->gradient(parameter)});
  };
  const HostPart own = host.Begin(step);
  SYNCLINE_ASSIGN_OR_RETURN(const Batch batch, Load(step, own.first, own.count));
  absl::Status forward = Forward(batch);
  if (forward.ok()) forward = HandInStateIfWanted(step);
  if (!forward.ok()) {
    host.Abort();
    return forward;
  }
  SYNCLINE_RETURN_IF_ERROR(options_.network->Backward([&](size_t parameter) {
    host.Made(parameter, push);
    return absl::OkStatus();
  }));
  SYNCLINE_RETURN_IF_ERROR(AddResult());
  const auto compute = [&](Network* network, const HostPart& part) -> absl::StatusOr<BatchResult> {
    SYNCLINE_ASSIGN_OR_RETURN(const Batch missing, Load(step, part.first, part.count));
    SYNCLINE_RETURN_IF_ERROR(network->Forward(missing));
    SYNCLINE_RETURN_IF_ERROR(network->Backward());
    return network->Result();
  };
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult others, host.Finish(compute, push));
  Add(others);
  return clips_ ? PushClipped(step.clock()) : absl::OkStatus();
}

// Again and again until nobody was lost in between. What was pushed in a try before is known to the shards by the
// clock, and is the same.
absl::Status Trainer::ComputeInTeam(const StepLease& step) {
  Batch batch;
  if (options_.team->moves_tensors()) {
    // To see whether there is such a step at all.
    SYNCLINE_ASSIGN_OR_RETURN(const auto pulled, pull_->Wait());
    if (pulled.verdict != PullReply::GRANTED) return absl::AbortedError("the step was not granted");
  } else {
    SYNCLINE_ASSIGN_OR_RETURN(batch, Load(step, 0, step.count()));
  }
  std::optional<Clock> next;
  if (source_.next() != nullptr) next = source_.next()->clock();
  while (true) {
    pushes_.BeginStep();
    bool granted = true, handed_in = false;
    const auto made = options_.team->Step(
        step, next, batch,
        [&](size_t first, size_t count) {
          const absl::Status there = AwaitValues(first, count);
          granted = there.ok();
          return there;
        },
        [&](size_t parameter) -> absl::Status {
          if (!std::exchange(handed_in, true)) SYNCLINE_RETURN_IF_ERROR(HandInStateIfWanted(step));
          if (!clips_) pushes_.Push(step.clock(), {parameter, options_.network->gradient(parameter)});
          return absl::OkStatus();
        });
    if (made.ok()) {
      Add(*made);
      return clips_ ? PushClipped(step.clock()) : absl::OkStatus();
    }
    if (!granted || !absl::IsAborted(made.status())) return made.status();
    SYNCLINE_RETURN_IF_ERROR(WaitForPushes());
  }
}

absl::Status Trainer::ComputeHere(const StepLease& step) {
  uint64_t number = step.clock() * job_.local_steps();
  for (uint64_t first = 0; first < step.count(); first += job_.batch_size(), ++number) {
    const uint64_t rows = std::min<uint64_t>(job_.batch_size(), step.count() - first);
    SYNCLINE_ASSIGN_OR_RETURN(Batch batch, Load(step, first, rows));
    batch.step = number;
    // From the second batch on all weights are there.
    SYNCLINE_RETURN_IF_ERROR(Forward(batch));
    SYNCLINE_RETURN_IF_ERROR(options_.network->Backward());
    SYNCLINE_RETURN_IF_ERROR(AddResult());
    if (first == 0) {
      SYNCLINE_RETURN_IF_ERROR(HandInStateIfWanted(step));
      stepper_->Begin();
    }
    stepper_->Step(number);
  }
  stepper_->WriteChange();
  for (size_t p = 0; p < options_.network->parameters().size(); ++p) {
    pushes_.Push(step.clock(), {p, options_.network->gradient(p)});
  }
  return absl::OkStatus();
}

// `count` samples of the step, from its `first` on.
absl::StatusOr<Batch> Trainer::Load(const StepLease& step, uint64_t first, uint64_t count) {
  const uint64_t begin = step.begin() + first;
  SYNCLINE_ASSIGN_OR_RETURN(Batch batch, train_->Load(order_.Samples(step.epoch(), begin, count)));
  batch.step = step.clock();
  batch.first_row = begin;
  return batch;
}

absl::Status Trainer::Forward(const Batch& batch) {
  return options_.network->Forward(
      batch, [this](size_t first, size_t count) { return AwaitValues(first, count); });
}

absl::Status Trainer::AwaitValues(size_t first, size_t count) {
  const absl::Time wait = SteadyNow();
  const absl::Status there = pull_->WaitFor(first, count);
  waited_ += SecondsSince(wait);
  return there;
}

void Trainer::Add(const BatchResult& result) {
  progress_.set_loss_sum(progress_.loss_sum() + result.loss_sum);
  if (classifies_) progress_.set_correct(progress_.correct() + result.correct);
}

absl::Status Trainer::AddResult() {
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult result, options_.network->Result());
  Add(result);
  return absl::OkStatus();
}

// Where pushes apply on arrival no shard sees a whole gradient, so its norm is clipped here.
absl::Status Trainer::PushClipped(Clock clock) {
  const auto& parameters = options_.network->parameters();
  double squared = 0;
  for (size_t p = 0; p < parameters.size(); ++p) {
    const float* gradient = options_.network->gradient(p);
    for (int64_t i = 0; i < parameters[p].size(); ++i) squared += double{gradient[i]} * gradient[i];
  }
  const double limit = job_.optimizer().clip_norm();
  const double norm = std::sqrt(squared);
  const float scale = norm > limit ? static_cast<float>(limit / (norm + 1e-6)) : 1;
  clipped_.resize(parameters.size());
  for (size_t p = 0; p < parameters.size(); ++p) {
    const float* gradient = options_.network->gradient(p);
    clipped_[p].resize(static_cast<size_t>(parameters[p].size()));
    for (size_t i = 0; i < clipped_[p].size(); ++i) clipped_[p][i] = scale * gradient[i];
    pushes_.Push(clock, {p, clipped_[p].data()});
  }
  return absl::OkStatus();
}

}  // namespace syncline
