#include "worker/allreduce/member.h"

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/client/await.h"
#include "worker/model/model_builder.h"
#include "worker/train/parameters.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<AllReduceMember>> AllReduceMember::Create(const Options& options) {
  std::unique_ptr<AllReduceMember> member(new AllReduceMember(options));
  SYNCLINE_RETURN_IF_ERROR(member->Build());
  return member;
}

absl::Status AllReduceMember::Build() {
  const JobManifest& job = options_.job;
  SYNCLINE_ASSIGN_OR_RETURN(data_, LoadTrainingData(job));
  order_.emplace(static_cast<uint32_t>(data_.train->size()), job.seed());
  const int batch = static_cast<int>(job.batch_size());
  // Only the values: a gradient that a shard still looks at may be computed anew by then, of other samples.
  const auto memory = [this, &job](size_t bytes) -> std::shared_ptr<void> {
    if (!job.shared_memory() || lent_ != nullptr) return nullptr;
    auto lent = SharedMemory::Create(bytes);
    if (!lent.ok()) return nullptr;
    lent_ = *lent;
    return std::shared_ptr<void>(lent_, lent_->data());
  };
  SYNCLINE_ASSIGN_OR_RETURN(network_, Network::Create(job.model(), options_.device, batch, job.seed(), memory));
  for (size_t p = 0; p < network_->parameters().size(); ++p) {
    values_.push_back(network_->value(p));
    gradients_.push_back(network_->gradient(p));
  }
  SYNCLINE_ASSIGN_OR_RETURN(train_,
                            BatchLoader::Create(options_.device, data_.train, LossOf(job.model()), batch));
  progress_.set_memory_bytes(options_.device->allocated());
  return absl::OkStatus();
}

absl::Status AllReduceMember::BecomeMember(Rank rank, Incarnation incarnation) {
  if (client_ != nullptr && client_->rank() == rank && client_->incarnation() == incarnation) {
    return absl::OkStatus();
  }
  Forget();
  SYNCLINE_ASSIGN_OR_RETURN(client_, Client::ConnectAs(options_.client, rank, incarnation, options_.job));
  if (lent_ != nullptr) client_->Lend(lent_);
  SYNCLINE_RETURN_IF_ERROR(client_->CreateTensors(TensorSpecs(network_->parameters())));
  spdlog::info("part of rank {} (incarnation {}) of job {}", rank, incarnation, options_.job.name());
  return absl::OkStatus();
}

Collective::Segments AllReduceMember::MemoryOf(const std::vector<Segment>& segments,
                                               float* (Network::*block)(size_t)) {
  const std::vector<Client::Chunk> chunks = client_->chunks();
  Collective::Segments memory;
  for (const Segment& segment : segments) {
    std::vector<Collective::Run>& runs = memory.emplace_back();
    for (uint32_t c = segment.begin; c < segment.end; ++c) {
      float* const data = (network_.get()->*block)(chunks[c].tensor) + chunks[c].begin;
      if (!runs.empty() && runs.back().data + runs.back().floats == data) {
        runs.back().floats += chunks[c].elements;
      } else {
        runs.push_back({data, chunks[c].elements});
      }
    }
  }
  return memory;
}

absl::Status AllReduceMember::Pull(Clock clock, const std::vector<uint32_t>& chunks) {
  const auto pulled = Await<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
    // The others' segments, which come another way, are written to as well.
    client_->PullChunks(clock, chunks, {values_, nullptr, false}, std::move(done));
  });
  SYNCLINE_RETURN_IF_ERROR(pulled.status());
  if (pulled->verdict == PullReply::GRANTED) return absl::OkStatus();
  return absl::AbortedError("the shards did not grant the step's weights");
}

absl::Status AllReduceMember::Push(Clock clock, const std::vector<uint32_t>& chunks) {
  return Await<absl::Status>(
      [&](auto done) { client_->PushChunks(clock, chunks, gradients_, std::move(done)); });
}

// Of the step's samples, part `part` of `parts`, a batch of the job's size at a time.
absl::StatusOr<double> AllReduceMember::Compute(const TeamStep& step, size_t part, size_t parts) {
  const uint64_t begin = step.begin() + step.count() * part / parts;
  const uint64_t end = step.begin() + step.count() * (part + 1) / parts;
  double loss = 0;
  for (uint64_t at = begin; at < end; at += options_.job.batch_size()) {
    const uint64_t rows = std::min<uint64_t>(options_.job.batch_size(), end - at);
    SYNCLINE_ASSIGN_OR_RETURN(Batch batch, train_->Load(order_->Samples(step.epoch(), at, rows)));
    batch.step = step.clock();
    batch.first_row = at;
    batch.mean_rows = static_cast<int>(step.count());
    SYNCLINE_RETURN_IF_ERROR(
        network_->Forward(batch, [](size_t, size_t) { return absl::OkStatus(); }));
    Network::BackwardOptions backward;
    backward.add = at > begin;
    backward.more = at + rows < end;
    SYNCLINE_RETURN_IF_ERROR(network_->Backward(nullptr, backward));
    SYNCLINE_ASSIGN_OR_RETURN(const double sum, network_->LossSum());
    loss += sum;
  }
  if (begin < end) return loss;
  for (size_t p = 0; p < network_->parameters().size(); ++p) {
    std::fill_n(network_->gradient(p), network_->parameters()[p].size(), 0.0f);
  }
  return loss;
}

absl::StatusOr<double> AllReduceMember::Step(const TeamStep& step, const TeamAttempt& attempt) {
  const Team::View view = options_.team->view();
  if (view.generation != attempt.generation) return absl::AbortedError("somebody of the team came or went");
  const std::vector<uint32_t> places = view.places();
  const size_t me = std::find(places.begin(), places.end(), view.place) - places.begin();
  const std::vector<Segment> segments = CutSegments(client_->chunks(), places.size());
  std::vector<uint32_t> own;
  for (uint32_t c = segments[me].begin; c < segments[me].end; ++c) own.push_back(c);
  Collective collective(options_.team, attempt, places, me);
  SYNCLINE_RETURN_IF_ERROR(Pull(step.clock(), own));
  SYNCLINE_RETURN_IF_ERROR(collective.AllGather(MemoryOf(segments, &Network::value)));
  SYNCLINE_ASSIGN_OR_RETURN(const double loss, Compute(step, me, places.size()));
  SYNCLINE_RETURN_IF_ERROR(collective.ReduceScatter(MemoryOf(segments, &Network::gradient)));
  SYNCLINE_RETURN_IF_ERROR(Push(step.clock(), own));
  progress_.set_sent_bytes(progress_.sent_bytes() + collective.sent_bytes());
  options_.team->Report(progress_);
  return loss;
}

absl::StatusOr<Network::Evaluation> AllReduceMember::Evaluate(const Batch& batch, bool fresh) {
  if (fresh) {
    SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>(
        [&](auto done) { client_->Observe({values_, nullptr, false}, std::move(done)); }));
    SYNCLINE_RETURN_IF_ERROR(network_->UploadValues());
  }
  return network_->Evaluate(batch);
}

}  // namespace syncline
