#include "worker/tensor/member.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/time/clock.h"
#include "common/cluster/team_size.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"
#include "worker/client/await.h"
#include "worker/model/model_builder.h"
#include "worker/pipeline/memory_limit.h"
#include "worker/train/parameters.h"

namespace syncline {

TensorMember::TensorMember(const Options& options)
    : options_(options),
      parts_(static_cast<int>(PartsAStage(options.job))),
      place_(static_cast<int>(options.team->view().place)) {}

absl::Status TensorMember::Build(const std::string& layers) {
  if (layers == layers_) return absl::OkStatus();
  const JobManifest& job = options_.job;
  SYNCLINE_ASSIGN_OR_RETURN(const auto ranges,
                            ParseStageLayers(layers, static_cast<int>(job.pipeline().stages()),
                                             job.model().layers_size()));
  const int stage = place_ / parts_, part = place_ % parts_;
  client_.reset();
  stage_.reset();
  weights_.reset();
  network_.reset();
  group_ = std::make_unique<GroupExchange>(GroupExchange::Options{
      options_.team, options_.device, static_cast<uint32_t>(stage * parts_), part, parts_});
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(BuildNetwork(ranges[stage]), job));
  const int batch = static_cast<int>(job.batch_size());
  auto made = PipelineStage::Create({network_.get(), options_.device, options_.team, job.pipeline(), stage, batch,
                                     StageLayersText({ranges[stage]}), part, parts_});
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(made.status(), job));
  stage_ = *std::move(made);
  if (loads() && train_ == nullptr) SYNCLINE_RETURN_IF_ERROR(ExplainMemory(LoadData(), job));
  layers_ = layers;
  spdlog::info("part {} of {} of layers {} on {}: {} bytes", part, parts_, StageLayersText({ranges[stage]}),
               options_.device->Describe(), options_.device->allocated());
  return absl::OkStatus();
}

absl::Status TensorMember::BuildNetwork(const LayerRange& layers) {
  const JobManifest& job = options_.job;
  const int64_t chunk = static_cast<int64_t>(job.chunk_bytes() / sizeof(float));
  Network::Part part = PipelineStage::Part(job.pipeline(), place_ / parts_, layers);
  part.group = group_.get();
  part.room = [this, chunk](size_t parameter, const ParameterSpec& spec) {
    return WeightExchange::Room(spec, parameter, chunk, *group_);
  };
  const auto memory = [this](size_t bytes) { return options_.team->memory()->Allocate(bytes); };
  const int rows = PipelineStage::MicroRows(job.pipeline(), static_cast<int>(job.batch_size()));
  SYNCLINE_ASSIGN_OR_RETURN(network_,
                            Network::Create(job.model(), options_.device, rows, job.seed(), memory, part));
  std::vector<std::vector<ParameterSpec>> specs;
  for (int p = 0; p < parts_; ++p) {
    LonePart other(p, parts_);
    SYNCLINE_ASSIGN_OR_RETURN(auto theirs, ModelParameters(job.model(), layers, &other));
    specs.push_back(std::move(theirs));
  }
  SYNCLINE_ASSIGN_OR_RETURN(weights_,
                            WeightExchange::Create(group_.get(), std::move(specs), chunk));
  values_.clear();
  gradients_.clear();
  pulled_.clear();
  pushed_.clear();
  for (size_t p = 0; p < network_->parameters().size(); ++p) {
    values_.push_back(network_->value(p));
    gradients_.push_back(network_->gradient(p));
    pulled_.push_back(weights_->TensorAt(p, values_[p]));
    pushed_.push_back(weights_->TensorAt(p, gradients_[p]));
  }
  return absl::OkStatus();
}

absl::Status TensorMember::LoadData() {
  const JobManifest& job = options_.job;
  SYNCLINE_ASSIGN_OR_RETURN(data_, LoadTrainingData(job));
  order_.emplace(static_cast<uint32_t>(data_.train->size()), job.seed(), job.data().shuffle_buffer());
  const Loss loss = LossOf(job.model());
  const int batch = static_cast<int>(job.batch_size());
  SYNCLINE_ASSIGN_OR_RETURN(train_, BatchLoader::Create(options_.device, data_.train, loss, batch));
  if (data_.test == nullptr) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(test_, BatchLoader::Create(options_.device, data_.test, loss, batch));
  return absl::OkStatus();
}

absl::Status TensorMember::BecomeMember(Rank rank, Incarnation incarnation) {
  if (client_ != nullptr && client_->rank() == rank && client_->incarnation() == incarnation) {
    return absl::OkStatus();
  }
  client_.reset();
  std::map<std::string, size_t> held;
  for (const ParameterSpec& parameter : network_->parameters()) held.emplace(parameter.name, held.size());
  ClientOptions options = options_.client;
  options.holds = [held](const std::string& tensor) { return held.count(tensor) > 0; };
  SYNCLINE_ASSIGN_OR_RETURN(client_, Client::ConnectAs(options, rank, incarnation, options_.job));
  for (const auto& block : options_.team->memory()->blocks()) client_->Lend(block);
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(options_.job.model()));
  SYNCLINE_RETURN_IF_ERROR(client_->CreateTensors(TensorSpecs(parameters)));
  own_chunks_.clear();
  const std::vector<Client::Chunk> chunks = client_->chunks();
  for (uint32_t c = 0; c < chunks.size(); ++c) {
    const auto parameter = held.find(parameters[chunks[c].tensor].name);
    if (parameter == held.end()) continue;
    const TensorSegment segment = weights_->segment(parameter->second);
    const int64_t begin = static_cast<int64_t>(chunks[c].begin);
    if (begin >= segment.begin && begin < segment.end) own_chunks_.push_back(c);
  }
  spdlog::info("part of rank {} (incarnation {}) of job {}", rank, incarnation, options_.job.name());
  return absl::OkStatus();
}

absl::Status TensorMember::Prepare(const TeamStep& step) {
  SYNCLINE_RETURN_IF_ERROR(Build(step.layers()));
  return BecomeMember(static_cast<Rank>(step.rank()), step.incarnation());
}

absl::Status TensorMember::Pull(Clock clock) {
  const auto pulled = Await<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
    // Slices are written to the same memory.
    client_->PullChunks(clock, own_chunks_, {pulled_, nullptr, false}, std::move(done));
  });
  SYNCLINE_RETURN_IF_ERROR(pulled.status());
  if (pulled->verdict == PullReply::GRANTED) return absl::OkStatus();
  return absl::AbortedError("the shards did not grant the step's weights");
}

absl::Status TensorMember::Push(Clock clock) {
  return Await<absl::Status>(
      [&](auto done) { client_->PushChunks(clock, own_chunks_, pushed_, std::move(done)); });
}

// A stage between the first and the last needs only to know how many samples there are.
absl::StatusOr<Batch> TensorMember::Load(BatchLoader* loader, absl::Span<const uint32_t> samples,
                                         const TeamStep& step) {
  if (loads()) return loader->Load(samples);
  Batch batch;
  batch.rows = static_cast<int>(step.count());
  return batch;
}

absl::Status TensorMember::Step(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) {
  if (options_.step_delay > absl::ZeroDuration()) absl::SleepFor(options_.step_delay);
  const absl::Time begin = SteadyNow();
  absl::Span<const uint32_t> samples;
  if (loads()) samples = order_->Samples(step.epoch(), step.begin(), step.count());
  SYNCLINE_ASSIGN_OR_RETURN(Batch batch, Load(train_.get(), samples, step));
  batch.step = step.clock();
  batch.first_row = step.begin();
  group_->Begin(attempt);
  SYNCLINE_RETURN_IF_ERROR(Pull(step.clock()));
  SYNCLINE_RETURN_IF_ERROR(weights_->SpreadWeights(values_));
  SYNCLINE_ASSIGN_OR_RETURN(
      const BatchResult made, stage_->Run(batch, attempt, [](size_t, size_t) { return absl::OkStatus(); },
                                          [](size_t) { return absl::OkStatus(); }));
  SYNCLINE_RETURN_IF_ERROR(weights_->CollectGradients(gradients_));
  SYNCLINE_RETURN_IF_ERROR(Push(step.clock()));
  // All parts of the last stage have made the same.
  if (group_->part() == 0) *result = made;
  seconds_ += SecondsSince(begin);
  Report();
  return absl::OkStatus();
}

absl::Status TensorMember::Observe() {
  SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>(
      [&](auto done) { client_->ObserveChunks(own_chunks_, {pulled_, nullptr, false}, std::move(done)); }));
  SYNCLINE_RETURN_IF_ERROR(weights_->SpreadWeights(values_));
  return network_->UploadValues();
}

absl::Status TensorMember::Evaluate(const TeamStep& step, const TeamAttempt& attempt, BatchResult* result) {
  group_->Begin(attempt);
  if (step.fresh()) SYNCLINE_RETURN_IF_ERROR(Observe());
  if (loads() && test_ == nullptr) {
    return absl::FailedPreconditionError("there is no held-out data here: give every worker the same job");
  }
  std::vector<uint32_t> samples(step.count());
  for (size_t i = 0; i < samples.size(); ++i) samples[i] = static_cast<uint32_t>(step.begin() + i);
  SYNCLINE_ASSIGN_OR_RETURN(const Batch batch, Load(test_.get(), samples, step));
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult measured, stage_->Evaluate(batch, attempt));
  if (group_->part() == 0) *result = measured;
  return absl::OkStatus();
}

void TensorMember::Report() {
  TeamProgress progress = stage_->progress();
  progress.set_pipeline_seconds(seconds_);
  progress.set_idle_seconds(progress.idle_seconds() + group_->idle_seconds());
  progress.set_sent_bytes(progress.sent_bytes() + group_->sent_bytes());
  options_.team->Report(progress);
}

}  // namespace syncline
