#include "worker/pipeline/follower.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/types/span.h"
#include "common/cluster/stage_layout.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"
#include "worker/client/await.h"
#include "worker/data/dataset_factory.h"
#include "worker/data/permutation.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/pipeline/memory_limit.h"
#include "worker/pipeline/stage.h"
#include "worker/train/batch_loader.h"
#include "worker/train/parameters.h"
#include "worker/train/pull_wait.h"
#include "worker/train/push_queue.h"

namespace syncline {
namespace {

class Follower final : public TeamPart {
 public:
  explicit Follower(const TeamPartOptions& options) : options_(options), place_(options.team->view().place) {}
  ~Follower() override { Forget(); }  // the client may be writing to the network

  absl::Status Prepare(const TeamStep& step) override;
  absl::Status Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) override;
  absl::Status Evaluate(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) override;
  void Told(const TeamStep& step) override;
  void Forget() override { client_.reset(); }

 private:
  absl::Status BuildStage(const std::string& layers);
  absl::Status BecomeMember(Rank rank, Incarnation incarnation);
  absl::StatusOr<Batch> Load(BatchLoader* loader, absl::Span<const uint32_t> samples,
                             const TeamStep& step);
  void StartPull(Clock clock);
  absl::StatusOr<bool> BeginWeights(Clock clock);
  absl::Status EndWeights(Clock clock);
  absl::Status Observe();

  const TeamPartOptions options_;
  const uint32_t place_;
  std::unique_ptr<Device> device_;
  std::string layers_;
  std::unique_ptr<Network> network_;
  std::unique_ptr<PipelineStage> stage_;
  std::vector<float*> values_;
  // The last stage's.
  TrainingData data_;
  std::optional<EpochOrder> order_;
  std::unique_ptr<BatchLoader> train_, test_;

  std::unique_ptr<Client> client_;
  std::shared_ptr<BusyTime> communication_ = std::make_shared<BusyTime>();
  std::unique_ptr<PushQueue> pushes_;
  // The weights in memory are those of `clock_`, unless a pull for `pulling_` has been answered.
  std::shared_ptr<PullWait> pull_;
  Clock pulling_ = 0;
  std::optional<Clock> clock_;
};

absl::Status Follower::BuildStage(const std::string& layers) {
  if (layers == layers_) return absl::OkStatus();
  const JobManifest& job = options_.job;
  SYNCLINE_ASSIGN_OR_RETURN(
      const auto ranges, ParseStageLayers(layers, static_cast<int>(job.pipeline().stages()),
                                          job.model().layers_size()));
  client_.reset();
  stage_.reset();
  network_.reset();
  const int batch = static_cast<int>(job.batch_size());
  const int stage = static_cast<int>(place_);
  const auto memory = [this](size_t bytes) { return options_.team->memory()->Allocate(bytes); };
  Network::Part part = PipelineStage::Part(job.pipeline(), stage, ranges[place_]);
  part.outputs = memory;
  SYNCLINE_ASSIGN_OR_RETURN(network_, Network::Create(job.model(), device_.get(),
                                                      PipelineStage::MicroRows(job.pipeline(), batch), job.seed(),
                                                      memory, part));
  SYNCLINE_ASSIGN_OR_RETURN(stage_, PipelineStage::Create({network_.get(), device_.get(), options_.team,
                                                           job.pipeline(), stage, batch,
                                                           StageLayersText({ranges[place_]})}));
  values_.clear();
  for (size_t p = 0; p < network_->parameters().size(); ++p) values_.push_back(network_->value(p));
  if (stage_->last() && train_ == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(data_, LoadTrainingData(job));
    order_.emplace(static_cast<uint32_t>(data_.train->size()), job.seed(), job.data().shuffle_buffer());
    const Loss loss = LossOf(job.model());
    SYNCLINE_ASSIGN_OR_RETURN(train_, BatchLoader::Create(device_.get(), data_.train, loss, batch));
    if (data_.test != nullptr) {
      SYNCLINE_ASSIGN_OR_RETURN(test_, BatchLoader::Create(device_.get(), data_.test, loss, batch));
    }
  }
  layers_ = layers;
  spdlog::info("layers {} on {}: {} bytes", StageLayersText({ranges[place_]}), device_->Describe(),
               device_->allocated());
  return absl::OkStatus();
}

absl::Status Follower::BecomeMember(Rank rank, Incarnation incarnation) {
  if (client_ != nullptr && client_->rank() == rank && client_->incarnation() == incarnation) {
    return absl::OkStatus();
  }
  client_.reset();
  pull_.reset();
  clock_.reset();
  std::set<std::string> held;
  for (const ParameterSpec& parameter : network_->parameters()) held.insert(parameter.name);
  ClientOptions options = options_.client;
  options.holds = [held](const std::string& tensor) { return held.count(tensor) > 0; };
  SYNCLINE_ASSIGN_OR_RETURN(client_, Client::ConnectAs(options, rank, incarnation, options_.job));
  for (const auto& block : options_.team->memory()->blocks()) client_->Lend(block);
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(options_.job.model()));
  SYNCLINE_RETURN_IF_ERROR(client_->CreateTensors(TensorSpecs(parameters)));
  pushes_ = std::make_unique<PushQueue>(client_.get(), Sizes(network_->parameters()), communication_);
  spdlog::info("part of rank {} (incarnation {}) of job {}", rank, incarnation, options_.job.name());
  return absl::OkStatus();
}

absl::Status Follower::Prepare(const TeamStep& step) {
  if (device_ == nullptr) {
    std::string note;
    SYNCLINE_ASSIGN_OR_RETURN(device_, OpenDevice(options_.device, &note));
    if (!note.empty()) spdlog::info("{}", note);
    device_->LimitMemory(options_.job.memory_limit());
  }
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(BuildStage(step.layers()), options_.job));
  return BecomeMember(static_cast<Rank>(step.rank()), step.incarnation());
}

void Follower::StartPull(Clock clock) {
  pulling_ = clock;
  pull_ = std::make_shared<PullWait>(values_.size());
  communication_->Begin(SteadyNow());
  client_->Pull(clock, {values_, PullWait::Ready(pull_), true},
                PullWait::Done(pull_, [communication = communication_] { communication->End(SteadyNow()); }));
}

// Whether `pull_` brings the weights for `clock`; else they are there. When a step is tried again, a pull for the one
// after it may be under way already: in sync it waits for the commit of this step, so the weights are still this one's;
// otherwise newer ones will do.
absl::StatusOr<bool> Follower::BeginWeights(Clock clock) {
  const bool sync = options_.job.sync_mode() == SYNC;
  if (clock_ == clock && (sync || pull_ == nullptr)) return false;
  if (pull_ != nullptr && sync && pulling_ != clock) {
    pull_->Wait().status().IgnoreError();  // of a step that had nothing to compute
    pull_.reset();
  }
  if (pull_ == nullptr) StartPull(clock);
  return true;
}

absl::Status Follower::EndWeights(Clock clock) {
  const auto outcome = std::exchange(pull_, nullptr)->Wait();
  SYNCLINE_RETURN_IF_ERROR(outcome.status());
  if (outcome->verdict != PullReply::GRANTED) {
    return absl::AbortedError("the shards did not grant the step's weights");
  }
  clock_ = clock;
  return absl::OkStatus();
}

// The last stage needs the samples' labels, the others only to know how many there are.
absl::StatusOr<Batch> Follower::Load(BatchLoader* loader, absl::Span<const uint32_t> samples,
                                     const TeamStep& step) {
  if (stage_->last()) return loader->Load(samples);
  Batch batch;
  batch.rows = static_cast<int>(step.count());
  return batch;
}

absl::Status Follower::Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) {
  if (options_.step_delay > absl::ZeroDuration()) absl::SleepFor(options_.step_delay);
  absl::Span<const uint32_t> samples;
  if (stage_->last()) samples = order_->Samples(step.epoch(), step.begin(), step.count());
  SYNCLINE_ASSIGN_OR_RETURN(Batch batch, Load(train_.get(), samples, step));
  batch.step = step.clock();
  batch.first_row = step.begin();
  SYNCLINE_ASSIGN_OR_RETURN(const bool pulls, BeginWeights(step.clock()));
  // Of a try before this one something may be under way still, which looks at the gradients.
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  pushes_->BeginStep();
  absl::Status granted;
  const auto await = [&](size_t first, size_t count) {
    if (pulls) granted = pull_->WaitFor(first, count);
    return granted;
  };
  const auto ready = [&](size_t parameter) {
    pushes_->Push(step.clock(), {parameter, network_->gradient(parameter)});
    return absl::OkStatus();
  };
  const auto made = stage_->Run(batch, attempt, await, ready);
  // When the try has failed, its pull goes on for the next one.
  if (pulls && (made.ok() || !granted.ok())) SYNCLINE_RETURN_IF_ERROR(EndWeights(step.clock()));
  SYNCLINE_RETURN_IF_ERROR(made.status());
  pushes_->Send(step.clock());
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  *result = *made;
  options_.team->Report(stage_->progress());
  return absl::OkStatus();
}

absl::Status Follower::Observe() {
  if (pull_ != nullptr) pull_->Wait().status().IgnoreError();
  pull_.reset();
  clock_.reset();
  SYNCLINE_RETURN_IF_ERROR(
      Await<absl::Status>([&](auto done) { client_->Observe({values_, nullptr, true}, done); }));
  return network_->UploadValues();
}

absl::Status Follower::Evaluate(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) {
  if (step.fresh()) SYNCLINE_RETURN_IF_ERROR(Observe());
  if (stage_->last() && test_ == nullptr) {
    return absl::FailedPreconditionError("there is no held-out data here: give every worker the same job");
  }
  std::vector<uint32_t> samples(step.count());
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<uint32_t>(step.begin() + i);
  SYNCLINE_ASSIGN_OR_RETURN(const Batch batch, Load(test_.get(), samples, step));
  SYNCLINE_ASSIGN_OR_RETURN(*result, stage_->Evaluate(batch, attempt));
  return absl::OkStatus();
}

void Follower::Told(const TeamStep& step) {
  // With bounded and staleness 0 a pull waits until the leader has committed, which it may never do.
  const bool ahead = options_.job.sync_mode() != BOUNDED || options_.job.staleness() > 0;
  if (ahead && step.has_next_clock()) StartPull(step.next_clock());
}

}  // namespace

std::unique_ptr<TeamPart> MakePipelineFollower(const TeamPartOptions& options) {
  return std::make_unique<Follower>(options);
}

}  // namespace syncline
