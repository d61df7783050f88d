#include "worker/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/optimizer/local_steps.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "worker/client/await.h"
#include "worker/model/model_builder.h"
#include "worker/train/busy_time.h"
#include "worker/train/parameters.h"

namespace syncline {
namespace {

constexpr int kEvaluationRows = 500;
// Of which WorkerProgress.train_auc is: an AUC of 0.75 is then right to 0.003.
constexpr size_t kAucSamples = 32768;

double SecondsSince(absl::Time begin) { return absl::ToDoubleSeconds(SteadyNow() - begin); }

}  // namespace

Trainer::Trainer(Options options)
    : options_(std::move(options)),
      job_(options_.client->job()),
      clips_(job_.optimizer().clip_norm() > 0 && job_.sync_mode() != SYNC),
      classifies_(LossOf(job_.model()) != MEAN_SQUARED_ERROR),
      order_(static_cast<uint32_t>(options_.data.train->size()), job_.seed(), job_.data().shuffle_buffer()),
      source_(options_.client, options_.data.train->size(), options_.stop),
      communication_(std::make_shared<BusyTime>()),
      pushes_(options_.client, Sizes(options_.network->parameters()), communication_) {}

absl::StatusOr<std::unique_ptr<Trainer>> Trainer::Create(Options options) {
  std::unique_ptr<Trainer> trainer(new Trainer(std::move(options)));
  const Options& o = trainer->options_;
  const Loss loss = LossOf(trainer->job_.model());
  size_t width = o.data.train->features();
  if (trainer->job_.model().sparse_size() > 0) {
    SYNCLINE_ASSIGN_OR_RETURN(
        trainer->rows_, RowExchange::Create(o.client, o.device, static_cast<int>(trainer->job_.batch_size()),
                                            trainer->communication_));
    width = trainer->rows_->width();
  }
  if (o.team == nullptr && o.network->inputs() != width) {
    return absl::InvalidArgumentError(absl::StrCat("the model takes ", o.network->inputs(),
                                                   " numbers a sample, and the data has ", width));
  }
  SYNCLINE_ASSIGN_OR_RETURN(
      trainer->train_, BatchLoader::Create(o.device, o.data.train, loss,
                                           static_cast<int>(trainer->job_.batch_size())));
  if (o.data.test != nullptr) {
    const int rows =
        std::min({kEvaluationRows, static_cast<int>(trainer->job_.batch_size()),
                  static_cast<int>(o.data.test->size())});
    SYNCLINE_ASSIGN_OR_RETURN(trainer->test_,
                              BatchLoader::Create(o.device, o.data.test, loss, rows));
  }
  if (StepsLocally(trainer->job_)) {
    SYNCLINE_ASSIGN_OR_RETURN(trainer->stepper_, LocalStepper::Create(trainer->job_, o.network));
  }
  const bool pulls = o.team == nullptr || !o.team->moves_tensors();
  for (size_t p = 0; pulls && p < o.network->parameters().size(); ++p) {
    trainer->values_.push_back(o.network->value(p));
  }
  return trainer;
}

absl::Status Trainer::Run() {
  SYNCLINE_RETURN_IF_ERROR(TakeOverState());
  SYNCLINE_ASSIGN_OR_RETURN(std::optional<StepLease> step, source_.Next());
  begun_ = SteadyNow();  // the others are there too
  bool stopped = false;
  while (step && !stopped) {
    if (options_.stop && options_.stop()) break;
    if (options_.step_delay > absl::ZeroDuration()) absl::SleepFor(options_.step_delay);
    if (pull_ == nullptr || pulling_ != step->clock()) StartPull(step->clock());
    SYNCLINE_ASSIGN_OR_RETURN(const Outcome outcome, RunStep(*step));
    if (outcome == Outcome::kStopped) {
      SYNCLINE_ASSIGN_OR_RETURN(stopped, source_.StoppedAt(step->clock()));
    }
    if (outcome == Outcome::kDone) {
      SYNCLINE_RETURN_IF_ERROR(EndStep(*step));
      Report(*step);
    }
    SYNCLINE_ASSIGN_OR_RETURN(step, source_.Next());
    if (step && pull_ == nullptr) StartPull(step->clock());
  }
  if (pull_ != nullptr && commits_) SYNCLINE_RETURN_IF_ERROR(WaitForPull().status());
  progress_.set_clock(source_.finished() || !step ? source_.clock() : step->clock());
  NoteTime();
  if (source_.finished() && source_.evaluate()) SYNCLINE_RETURN_IF_ERROR(Evaluate());
  SYNCLINE_RETURN_IF_ERROR(HandInState(progress_.clock(), true));
  return options_.client->Leave(progress_.clock(), progress_);
}

absl::Status Trainer::TakeOverState() {
  Client::OwnState own = OwnState();
  SYNCLINE_ASSIGN_OR_RETURN(const bool found, options_.client->TakeOverState(&own));
  if (found && stepper_ != nullptr) stepper_->SetUpdates(own.updates);
  return absl::OkStatus();
}

// Before the step changes anything of it.
absl::Status Trainer::HandInStateIfWanted(const StepLease& step) {
  if (!options_.client->carries_state()) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(const auto outcome, pull_->Wait());
  return outcome.state_wanted ? HandInState(step.clock(), false) : absl::OkStatus();
}

absl::Status Trainer::HandInState(Clock clock, bool leaving) {
  return options_.client->HandInState(clock, OwnState(), leaving);
}

Client::OwnState Trainer::OwnState() const {
  return stepper_ == nullptr ? Client::OwnState() : stepper_->State();
}

Client::PullDone Trainer::BeginPull(Clock clock) {
  pulling_ = clock;
  commits_ = false;
  pull_ = std::make_shared<PullWait>(values_.size());
  if (options_.host != nullptr) options_.host->team()->BeginPull();
  communication_->Begin(SteadyNow());
  return PullWait::Done(pull_, [communication = communication_] { communication->End(SteadyNow()); });
}

Client::Destination Trainer::Destination() const {
  // With local_steps the weights go on from where they were put.
  return {values_, Ready(), stepper_ == nullptr};
}

Client::TensorReady Trainer::Ready() const {
  if (options_.host == nullptr) return PullWait::Ready(pull_);
  return [ready = PullWait::Ready(pull_), team = options_.host->team()](size_t tensor) {
    team->Ready(tensor);
    ready(tensor);
  };
}

void Trainer::StartPull(Clock clock) {
  auto done = BeginPull(clock);
  options_.client->Pull(clock, Destination(), std::move(done));
}

absl::StatusOr<Trainer::Outcome> Trainer::RunStep(const StepLease& step) {
  const absl::Status computed = step.count() > 0 ? Compute(step) : HandInStateIfWanted(step);
  // An aborted pass is one whose weights were not granted.
  if (!computed.ok() && !absl::IsAborted(computed)) return computed;
  SYNCLINE_ASSIGN_OR_RETURN(const Outcome outcome, WaitForPull());
  if (outcome == Outcome::kDone && !computed.ok()) {
    if (rows_ == nullptr || !rows_->closed()) return computed;
    // The step was made between the pull of the weights and that of the rows.
    source_.SkipTo(*rows_->closed());
    return Outcome::kClosed;
  }
  return outcome;
}

absl::Status Trainer::EndStep(const StepLease& step) {
  const StepLease* const next = source_.next();
  if (next == nullptr) {
    // The request for more steps says which are committed, so none may be under way then.
    pushes_.Send(step.clock());
    SYNCLINE_RETURN_IF_ERROR(WaitForPushes());
    return Commit(step);
  }
  SYNCLINE_RETURN_IF_ERROR(WaitForPushes());
  auto done = BeginPull(next->clock());
  commits_ = true;
  options_.client->PushPull({step.clock(), step.count(),
                             {step.contributors().begin(), step.contributors().end()},
                             next->clock()},
                            pushes_.TakeUnsent(), Destination(), std::move(done));
  return absl::OkStatus();
}

absl::StatusOr<Trainer::Outcome> Trainer::WaitForPull() {
  const absl::Time begin = SteadyNow();
  const auto outcome = pull_->Wait();
  progress_.set_pull_wait_seconds(progress_.pull_wait_seconds() + SecondsSince(begin));
  pull_.reset();
  SYNCLINE_RETURN_IF_ERROR(outcome.status());
  switch (outcome->verdict) {
    case PullReply::STOPPED:
      return Outcome::kStopped;
    case PullReply::STEP_CLOSED:
      source_.SkipTo(outcome->clock);
      return Outcome::kClosed;
    default:
      return Outcome::kDone;
  }
}

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

absl::Status Trainer::WaitForPushes() {
  const absl::Time begin = SteadyNow();
  absl::Status pushed = pushes_.Wait();
  if (rows_ != nullptr) pushed.Update(rows_->Wait());
  progress_.set_push_wait_seconds(progress_.push_wait_seconds() + SecondsSince(begin));
  return pushed;
}

absl::Status Trainer::Commit(const StepLease& step) {
  const absl::Time begin = SteadyNow();
  communication_->Begin(begin);
  const auto accepted = Await<absl::StatusOr<bool>>([&](auto done) {
    options_.client->Commit(step.clock(), step.count(),
                            {step.contributors().begin(), step.contributors().end()}, done);
  });
  communication_->End(SteadyNow());
  progress_.set_push_wait_seconds(progress_.push_wait_seconds() + SecondsSince(begin));
  return accepted.status();
}

// `clock` lags by the commit that may still be under way: what is reported is true.
void Trainer::Report(const StepLease& step) {
  progress_.set_clock(step.clock());
  progress_.set_samples(progress_.samples() + step.count());
  NoteTime();
  options_.client->Report(progress_);
  if (options_.report) options_.report(progress_);
}

void Trainer::NoteTime() {
  const absl::Time now = SteadyNow();
  progress_.set_total_seconds(absl::ToDoubleSeconds(now - begun_));
  progress_.set_communication_seconds(
      absl::ToDoubleSeconds(communication_->Until(now)));
  const Client::RowCacheCounts cache = options_.client->row_cache();
  progress_.set_cached_rows_wanted(cache.wanted);
  progress_.set_cached_rows_found(cache.found);
}

absl::StatusOr<BatchResult> Trainer::Measure(uint64_t begin, const Batch& batch) {
  if (options_.team == nullptr) return options_.network->Evaluate(batch);
  auto result = options_.team->Evaluate(begin, batch, /*fresh=*/begin == 0);
  while (absl::IsAborted(result.status())) {
    result = options_.team->Evaluate(begin, batch, /*fresh=*/true);
  }
  return result;
}

// Of a batch that the network has just computed.
absl::Status Trainer::AddScores(const Batch& batch, BinaryScores* scores) const {
  const size_t bytes = sizeof(float) * static_cast<size_t>(batch.rows);
  std::vector<float> logits(batch.rows), labels(batch.rows);
  const Device& device = *options_.device;
  SYNCLINE_RETURN_IF_ERROR(
      device.Run(&Backend::copy, kComputeStream, logits.data(), options_.network->output(0), bytes));
  SYNCLINE_RETURN_IF_ERROR(device.Run(&Backend::copy, kComputeStream, labels.data(), batch.targets, bytes));
  SYNCLINE_RETURN_IF_ERROR(device.Run(&Backend::synchronize));
  scores->Add(logits, labels);
  return absl::OkStatus();
}

absl::Status Trainer::AddTrainingScores(const Batch& batch) {
  SYNCLINE_RETURN_IF_ERROR(AddScores(batch, &train_scores_));
  if (train_scores_.size() < kAucSamples) return absl::OkStatus();
  if (const auto auc = train_scores_.Auc()) progress_.set_train_auc(*auc);
  train_scores_ = BinaryScores();
  return absl::OkStatus();
}

absl::Status Trainer::Evaluate() {
  if (test_ == nullptr) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>([&](auto done) {
    options_.client->Observe({values_, nullptr, stepper_ == nullptr}, done);
  }));
  SYNCLINE_RETURN_IF_ERROR(options_.network->UploadValues());
  const uint32_t samples = static_cast<uint32_t>(test_->data().size());
  std::vector<uint32_t> rows;
  BatchResult all;
  // The logits of a team are on its last stage.
  const bool scored = LossOf(job_.model()) == LOGISTIC && options_.team == nullptr;
  BinaryScores scores;
  for (uint32_t begin = 0; begin < samples; begin += rows.size()) {
    rows.resize(std::min<uint32_t>(test_->max_rows(), samples - begin));
    for (size_t i = 0; i < rows.size(); ++i) rows[i] = begin + static_cast<uint32_t>(i);
    SYNCLINE_ASSIGN_OR_RETURN(Batch batch, test_->Load(rows));
    if (rows_ != nullptr) {
      SYNCLINE_ASSIGN_OR_RETURN(batch.features,
                                rows_->Pull(std::nullopt, batch.rows, test_->keys(), batch.features));
    }
    SYNCLINE_ASSIGN_OR_RETURN(const auto result, Measure(begin, batch));
    all += result;
    if (scored) SYNCLINE_RETURN_IF_ERROR(AddScores(batch, &scores));
  }
  progress_.set_test_loss(all.loss_sum / samples);
  if (classifies_) progress_.set_test_accuracy(all.correct / samples);
  if (const auto auc = scores.Auc()) progress_.set_test_auc(*auc);
  return absl::OkStatus();
}

}  // namespace syncline
