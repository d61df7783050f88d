#include "worker/allreduce/member.h"

#include <algorithm>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/allreduce/sum_layout.h"
#include "worker/client/await.h"
#include "worker/model/model_builder.h"
#include "worker/train/parameters.h"

namespace syncline {

struct AllReduceMember::Pushes {
  absl::Mutex mu;
  int under_way ABSL_GUARDED_BY(mu) = 0;
  absl::Status error ABSL_GUARDED_BY(mu);

  void Begin() {
    absl::MutexLock lock(&mu);
    ++under_way;
  }
  void End(const absl::Status& status) {
    absl::MutexLock lock(&mu);
    --under_way;
    error.Update(status);
  }
  absl::Status Wait() {
    absl::MutexLock lock(&mu);
    const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) { return under_way == 0; };
    mu.Await(absl::Condition(&none));
    return error;
  }
};

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
  const auto memory = [this](size_t bytes) { return options_.team->memory()->Allocate(bytes); };
  SYNCLINE_ASSIGN_OR_RETURN(network_, Network::Create(job.model(), options_.device, batch, job.seed(), memory));
  const auto& parameters = network_->parameters();
  const size_t last = parameters.size() - 1;
  const size_t bytes = sizeof(float) * (network_->gradient(last) + parameters[last].size() - network_->gradient(0));
  SYNCLINE_ASSIGN_OR_RETURN(sum_memory_, DeviceMemory::AdoptOrAllocate(options_.device, memory(bytes), bytes));
  for (size_t p = 0; p < parameters.size(); ++p) {
    values_.push_back(network_->value(p));
    sums_.push_back(sum_memory_.floats() + (network_->gradient(p) - network_->gradient(0)));
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
  for (const auto& block : options_.team->memory()->blocks()) client_->Lend(block);
  SYNCLINE_RETURN_IF_ERROR(client_->CreateTensors(TensorSpecs(network_->parameters())));
  pushes_ = std::make_shared<Pushes>();
  spdlog::info("part of rank {} (incarnation {}) of job {}", rank, incarnation, options_.job.name());
  return absl::OkStatus();
}

void AllReduceMember::Forget() {
  client_.reset();
  pull_.reset();
  layout_.reset();
  share_there_.reset();
  all_there_.reset();
}

bool AllReduceMember::PullsAll() const {
  const JobManifest& job = options_.job;
  const Team::View view = options_.team->view();
  const std::vector<uint32_t> places = view.places();
  return job.pull_codec() == CODEC_NONE && job.tensor_codecs().empty() &&
         client_->shards_on_this_host() == client_->shards() &&
         std::all_of(places.begin(), places.end(), [&](uint32_t place) {
           return place == view.place || options_.team->OnThisHost(place);
         });
}

Collective::Segments AllReduceMember::MemoryOf(const std::vector<std::vector<uint32_t>>& shares,
                                               bool gradients) const {
  const std::vector<Client::Chunk> chunks = client_->chunks();
  Collective::Segments memory;
  for (const std::vector<uint32_t>& share : shares) {
    std::vector<FloatRun>& runs = memory.emplace_back();
    for (const uint32_t c : share) {
      const auto [tensor, begin, floats] = chunks[c];
      float* const data = (gradients ? network_->gradient(tensor) : values_[tensor]) + begin;
      if (!runs.empty() && runs.back().data + runs.back().floats == data) {
        runs.back().floats += floats;
      } else {
        runs.push_back({data, floats, gradients ? sums_[tensor] + begin : nullptr});
      }
    }
  }
  return memory;
}

absl::Status AllReduceMember::LayOut(const Team::View& view) {
  const std::vector<uint32_t> places = view.places();
  const auto mine = std::find(places.begin(), places.end(), view.place);
  if (mine == places.end()) return absl::AbortedError("this process is no member of the team any more");
  const size_t me = mine - places.begin();
  if (layout_ && layout_->places == places && layout_->me == me) return absl::OkStatus();
  share_there_.reset();
  const std::vector<SumBucket> buckets = CutBuckets(client_->chunks(), places.size());
  AllReduceLayout& layout = layout_.emplace();
  layout.places = places;
  layout.me = me;
  layout.share = ShareOf(buckets, me);
  std::vector<std::vector<uint32_t>> shares;
  for (size_t p = 0; p < places.size(); ++p) shares.push_back(ShareOf(buckets, p));
  layout.gather = PlanAllGather(MemoryOf(shares, /*gradients=*/false), me);
  layout.sum.bucket_of.resize(values_.size());
  for (size_t b = 0; b < buckets.size(); ++b) {
    for (size_t t = buckets[b].begin; t < buckets[b].end; ++t) layout.sum.bucket_of[t] = b;
    layout.sum.buckets.push_back({buckets[b].end - buckets[b].begin, buckets[b].shares[me],
                                  PlanReduceScatter(MemoryOf(buckets[b].shares, /*gradients=*/true), me)});
  }
  return absl::OkStatus();
}

void AllReduceMember::StartPull(Clock clock) {
  pulling_ = clock;
  pull_ = std::make_shared<PullWait>(values_.size());
  client_->Pull(clock, {values_, PullWait::Ready(pull_), !std::exchange(gathered_, false)},
                PullWait::Done(pull_, [] {}));
}

void AllReduceMember::PullAhead(const TeamStep& step) {
  if (step.pull_all() && step.has_next_clock() && pull_ == nullptr) StartPull(step.next_clock());
}

absl::Status AllReduceMember::AwaitPull(Clock clock) {
  const auto pulled = std::exchange(pull_, nullptr)->Wait();
  SYNCLINE_RETURN_IF_ERROR(pulled.status());
  if (pulled->verdict != PullReply::GRANTED) {
    return absl::AbortedError("the shards did not grant the step's weights");
  }
  all_there_ = share_there_ = clock;
  return absl::OkStatus();
}

absl::Status AllReduceMember::PullShare(Clock clock) {
  const auto pulled = Await<absl::StatusOr<Client::PullOutcome>>([&](auto done) {
    client_->PullChunks(clock, layout_->share, {values_, nullptr, false}, std::move(done));
  });
  SYNCLINE_RETURN_IF_ERROR(pulled.status());
  if (pulled->verdict != PullReply::GRANTED) {
    return absl::AbortedError("the shards did not grant the step's weights");
  }
  all_there_.reset();
  share_there_ = clock;
  return absl::OkStatus();
}

// When a step is tried again, a pull for the one after it may be under way: it waits for the commit of this one, so the
// weights are still this one's.
absl::Status AllReduceMember::GetWeights(const TeamStep& step, Collective* collective) {
  const Clock clock = step.clock();
  const bool here = all_there_ == clock;
  if (!here && pull_ != nullptr && pulling_ != clock) {
    pull_->Wait().status().IgnoreError();  // of a step that was not made
    pull_.reset();
  }
  if (step.pull_all()) {
    if (!here && pull_ == nullptr) StartPull(clock);
    return absl::OkStatus();
  }
  if (!here && pull_ != nullptr) SYNCLINE_RETURN_IF_ERROR(AwaitPull(clock));
  if (share_there_ != clock && all_there_ != clock) SYNCLINE_RETURN_IF_ERROR(PullShare(clock));
  SYNCLINE_ASSIGN_OR_RETURN(auto gather, collective->Begin(TeamMessage::GATHER, layout_->gather));
  SYNCLINE_RETURN_IF_ERROR(collective->Advance(&gather, /*wait=*/true));
  gathered_ = true;
  return absl::OkStatus();
}

absl::StatusOr<BatchResult> AllReduceMember::ComputeBatch(const Batch& batch, const Network::BackwardOptions& backward,
                                                          GradientSum* sum) {
  const bool waits = pull_ != nullptr && pulling_ == batch.step;
  const absl::Status forward = network_->Forward(
      batch, [&](size_t first, size_t count) { return waits ? pull_->WaitFor(first, count) : absl::OkStatus(); });
  if (waits) SYNCLINE_RETURN_IF_ERROR(AwaitPull(batch.step));
  SYNCLINE_RETURN_IF_ERROR(forward);
  SYNCLINE_RETURN_IF_ERROR(network_->Backward([&](size_t p) { return sum->Made(p); }, backward));
  return network_->Result();
}

// Of the step's samples this process's part, a batch of the job's size at a time.
absl::StatusOr<BatchResult> AllReduceMember::Compute(const TeamStep& step, GradientSum* sum) {
  const size_t part = layout_->me, parts = layout_->places.size();
  const uint64_t begin = step.begin() + step.count() * part / parts;
  const uint64_t end = step.begin() + step.count() * (part + 1) / parts;
  BatchResult result;
  for (uint64_t at = begin; at < end; at += options_.job.batch_size()) {
    const uint64_t rows = std::min<uint64_t>(options_.job.batch_size(), end - at);
    SYNCLINE_ASSIGN_OR_RETURN(Batch batch, train_->Load(order_->Samples(step.epoch(), at, rows)));
    batch.step = step.clock();
    batch.first_row = at;
    batch.mean_rows = static_cast<int>(step.count());
    Network::BackwardOptions backward;
    backward.add = at > begin;
    backward.more = at + rows < end;
    SYNCLINE_ASSIGN_OR_RETURN(const BatchResult part_of_it, ComputeBatch(batch, backward, sum));
    result += part_of_it;
  }
  if (begin < end) return result;
  if (pull_ != nullptr && pulling_ == step.clock()) SYNCLINE_RETURN_IF_ERROR(AwaitPull(step.clock()));
  for (size_t p = network_->parameters().size(); p-- > 0;) {
    std::fill_n(network_->gradient(p), network_->parameters()[p].size(), 0.0f);
    SYNCLINE_RETURN_IF_ERROR(sum->Made(p));
  }
  return result;
}

absl::StatusOr<BatchResult> AllReduceMember::Step(const TeamStep& step, const TeamAttempt& attempt) {
  const Team::View view = options_.team->view();
  if (view.generation != attempt.generation) return absl::AbortedError("somebody of the team came or went");
  // Of a try before this one something may be under way still, which looks at the sums.
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  SYNCLINE_RETURN_IF_ERROR(LayOut(view));
  Collective collective(options_.team, attempt, layout_->places, layout_->me);
  SYNCLINE_RETURN_IF_ERROR(GetWeights(step, &collective));
  const std::vector<const float*> sums(sums_.begin(), sums_.end());
  GradientSum sum(&layout_->sum, &collective, [&](const std::vector<uint32_t>& chunks) {
    if (chunks.empty()) return;
    pushes_->Begin();
    client_->PushChunks(step.clock(), chunks, sums,
                        [pushes = pushes_](const absl::Status& pushed) { pushes->End(pushed); });
  });
  SYNCLINE_ASSIGN_OR_RETURN(const BatchResult result, Compute(step, &sum));
  SYNCLINE_RETURN_IF_ERROR(sum.Finish());
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  collective.AwaitSent();
  progress_.set_sent_bytes(progress_.sent_bytes() + collective.sent_bytes());
  options_.team->Report(progress_);
  return result;
}

absl::StatusOr<BatchResult> AllReduceMember::Evaluate(const Batch& batch, bool fresh) {
  if (fresh) {
    if (pull_ != nullptr) std::exchange(pull_, nullptr)->Wait().status().IgnoreError();
    share_there_.reset();
    all_there_.reset();
    SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>(
        [&](auto done) { client_->Observe({values_, nullptr, false}, std::move(done)); }));
    SYNCLINE_RETURN_IF_ERROR(network_->UploadValues());
  }
  return network_->Evaluate(batch);
}

}  // namespace syncline
