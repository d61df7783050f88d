#include "worker/train/trainer.h"

#include <algorithm>
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

}  // namespace syncline
