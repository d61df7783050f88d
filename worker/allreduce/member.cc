#include "worker/allreduce/member.h"

#include <algorithm>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "common/hash/mix.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/allreduce/hierarchical_plan.h"
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
  order_.emplace(static_cast<uint32_t>(data_.train->size()), job.seed(), job.data().shuffle_buffer());
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
  SYNCLINE_ASSIGN_OR_RETURN(codecs_, CodecsOf(job, TensorSpecs(parameters)));
  devices_ = std::make_unique<DeviceTeam>(DeviceTeam::Options{options_.team, options_.device, network_.get(), sums_});
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
  pull_ = old_pull_ = {};
  layout_.reset();
  share_there_.reset();
  all_there_.reset();
}

void AllReduceMember::Propose(TeamStep* step) {
  // Between devices weights are faster than from the shards.
  const bool on_devices = devices_->Propose(step);
  step->set_pull_all(!on_devices && PullsAll());
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
      const Codec codec = gradients ? codecs_[tensor].push : CODEC_NONE;
      if (!runs.empty() && runs.back().data + runs.back().floats == data && runs.back().codec == codec) {
        runs.back().floats += floats;
      } else {
        runs.push_back({data, floats, gradients ? sums_[tensor] + begin : nullptr, codec});
      }
    }
  }
  return memory;
}

absl::Status AllReduceMember::LayOut(const Team::View& view) {
  std::vector<uint32_t> places = view.places();
  std::vector<std::string> hosts(places.size());
  const bool by_host = options_.job.aggregation() == AGGREGATION_HIERARCHICAL;
  for (size_t p = 0; by_host && p < places.size(); ++p) hosts[p] = view.processes[places[p]].host();
  if (by_host) SortByHost(&places, &hosts);
  const auto mine = std::find(places.begin(), places.end(), view.place);
  if (mine == places.end()) return absl::AbortedError("this process is no member of the team any more");
  const size_t me = mine - places.begin(), n = places.size();
  if (layout_ && layout_->places == places && layout_->hosts == hosts && layout_->me == me) return absl::OkStatus();
  share_there_.reset();
  if (pull_.wait != nullptr && !pull_.all) old_pull_ = std::exchange(pull_, {});
  const HostGroups groups = by_host ? GroupByHost(hosts) : EachByItself(n);
  const std::vector<SumBucket> buckets = CutBuckets(client_->chunks(), groups.owners(), n);
  AllReduceLayout& layout = layout_.emplace();
  layout.places = places;
  layout.hosts = hosts;
  layout.me = me;
  layout.share = ShareOf(buckets, me);
  std::vector<std::vector<uint32_t>> shares;
  for (size_t p = 0; p < n; ++p) shares.push_back(ShareOf(buckets, p));
  layout.gather = PlanAllGather(groups, MemoryOf(shares, /*gradients=*/false), me);
  layout.sum.bucket_of.resize(values_.size());
  for (size_t b = 0; b < buckets.size(); ++b) {
    for (size_t t = buckets[b].begin; t < buckets[b].end; ++t) layout.sum.bucket_of[t] = b;
    layout.sum.buckets.push_back({buckets[b].end - buckets[b].begin, buckets[b].shares[me],
                                  PlanReduceScatter(groups, MemoryOf(buckets[b].shares, /*gradients=*/true), me)});
  }
  const absl::Status made = MakeOutbox(&layout.sum);
  if (!made.ok()) layout_.reset();
  return made;
}

absl::Status AllReduceMember::MakeOutbox(GradientSum::Buckets* sum) {
  size_t bytes = 0;
  for (const GradientSum::Bucket& bucket : sum->buckets) bytes += CodedBytes(bucket.plan);
  if (bytes == 0) return absl::OkStatus();
  outbox_ = DeviceMemory();
  SYNCLINE_ASSIGN_OR_RETURN(
      outbox_, DeviceMemory::AdoptOrAllocate(options_.device, options_.team->memory()->Allocate(bytes), bytes));
  char* next = static_cast<char*>(outbox_.data());
  for (GradientSum::Bucket& bucket : sum->buckets) {
    PlaceCoded(next, &bucket.plan);
    next += CodedBytes(bucket.plan);
  }
  return absl::OkStatus();
}

void AllReduceMember::StartPull(Clock clock, bool all) {
  pull_ = {std::make_shared<PullWait>(values_.size()), clock, all};
  auto done = PullWait::Done(pull_.wait, [] {});
  if (all) {
    client_->Pull(clock, {values_, PullWait::Ready(pull_.wait), !std::exchange(gathered_, false)}, std::move(done));
  } else {
    client_->PullChunks(clock, layout_->share, {values_, nullptr, false}, std::move(done));
  }
}

void AllReduceMember::PullAhead(const TeamStep& step) {
  devices_->Made();
  if (step.has_next_clock() && pull_.wait == nullptr && old_pull_.wait == nullptr) {
    StartPull(step.next_clock(), step.pull_all());
  }
}

absl::Status AllReduceMember::AwaitPull() {
  const Pulling pull = std::exchange(pull_, {});
  const auto pulled = pull.wait->Wait();
  SYNCLINE_RETURN_IF_ERROR(pulled.status());
  if (pulled->verdict != PullReply::GRANTED) {
    return absl::AbortedError("the shards did not grant the step's weights");
  }
  share_there_ = pull.clock;
  all_there_.reset();
  if (pull.all) all_there_ = pull.clock;
  return absl::OkStatus();
}

// When a step is tried again, a pull for the one after it may be under way: it waits for the commit of this one, so the
// weights are still this one's, and nobody may wait for it.
absl::Status AllReduceMember::GetWeights(const TeamStep& step, Collective* collective) {
  const Clock clock = step.clock();
  if (old_pull_.clock <= clock) old_pull_.Drop();
  if (pull_.clock < clock) pull_.Drop();  // of a step that was not made
  const bool here = all_there_ == clock;
  if (!here && pull_.of(clock) && !(pull_.all && step.pull_all())) SYNCLINE_RETURN_IF_ERROR(AwaitPull());
  const bool enough = here || all_there_ == clock || (!step.pull_all() && share_there_ == clock);
  if (!enough && !pull_.of(clock)) {
    if (pull_.wait != nullptr) old_pull_ = std::exchange(pull_, {});
    StartPull(clock, step.pull_all());
    if (!step.pull_all()) SYNCLINE_RETURN_IF_ERROR(AwaitPull());
  }
  if (step.pull_all()) return absl::OkStatus();
  if (devices_->sum() != nullptr) return devices_->sum()->Gather();
  SYNCLINE_ASSIGN_OR_RETURN(auto gather, collective->Begin(TeamMessage::GATHER, layout_->gather));
  SYNCLINE_RETURN_IF_ERROR(collective->Finish(&gather));
  gathered_ = true;
  return absl::OkStatus();
}

absl::StatusOr<BatchResult> AllReduceMember::ComputeBatch(const Batch& batch, const Network::BackwardOptions& backward,
                                                          const Network::GradientReady& made) {
  const bool waits = pull_.all && pull_.of(batch.step);
  const auto await = [&](size_t first, size_t count) {
    return waits ? pull_.wait->WaitFor(first, count) : absl::OkStatus();
  };
  const absl::Status forward =
      backward.on_device ? network_->Forward(batch) : network_->Forward(batch, await);
  if (waits) SYNCLINE_RETURN_IF_ERROR(AwaitPull());
  SYNCLINE_RETURN_IF_ERROR(forward);
  SYNCLINE_RETURN_IF_ERROR(network_->Backward(made, backward));
  return network_->Result();
}

// Of the step's samples this process's part, a batch of the job's size at a time.
absl::StatusOr<BatchResult> AllReduceMember::Compute(const TeamStep& step, const Network::GradientReady& made) {
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
    backward.on_device = devices_->sum() != nullptr;
    backward.add = at > begin;
    backward.more = at + rows < end;
    SYNCLINE_ASSIGN_OR_RETURN(const BatchResult part_of_it, ComputeBatch(batch, backward, made));
    result += part_of_it;
  }
  if (begin < end) return result;
  if (pull_.all && pull_.of(step.clock())) SYNCLINE_RETURN_IF_ERROR(AwaitPull());
  for (size_t p = network_->parameters().size(); p-- > 0;) {
    SYNCLINE_RETURN_IF_ERROR(network_->ClearGradient(p, devices_->sum() != nullptr));
    SYNCLINE_RETURN_IF_ERROR(made(p));
  }
  return result;
}

absl::StatusOr<BatchResult> AllReduceMember::Try(const TeamStep& step, const TeamAttempt& attempt) {
  const Team::View view = options_.team->view();
  if (view.generation != attempt.generation) return absl::AbortedError("somebody of the team came or went");
  // Of a try before this one something may be under way still, which looks at the sums.
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  SYNCLINE_RETURN_IF_ERROR(LayOut(view));
  SYNCLINE_RETURN_IF_ERROR(devices_->Begin(step, attempt, view, client_->chunks()));
  Collective collective(options_.team, attempt, layout_->places, layout_->me,
                        Mix(Mix(options_.job.seed()) + step.clock()));
  SYNCLINE_RETURN_IF_ERROR(GetWeights(step, &collective));
  const std::vector<const float*> sums(sums_.begin(), sums_.end());
  const auto push = [&](const std::vector<uint32_t>& chunks) {
    if (chunks.empty()) return;
    pushes_->Begin();
    client_->PushChunks(step.clock(), chunks, sums,
                        [pushes = pushes_](const absl::Status& pushed) { pushes->End(pushed); });
  };
  BatchResult result;
  uint64_t sent = 0;
  if (DeviceSum* const sum = devices_->sum(); sum != nullptr) {
    sum->Begin(push);
    SYNCLINE_ASSIGN_OR_RETURN(result, Compute(step, [sum](size_t p) { return sum->Made(p); }));
    SYNCLINE_RETURN_IF_ERROR(sum->Finish());
    sent = sum->TakeSentBytes();
  } else {
    GradientSum gradients(&layout_->sum, &collective, push);
    SYNCLINE_ASSIGN_OR_RETURN(result, Compute(step, [&](size_t p) { return gradients.Made(p); }));
    SYNCLINE_RETURN_IF_ERROR(gradients.Finish());
  }
  SYNCLINE_RETURN_IF_ERROR(pushes_->Wait());
  collective.AwaitSent();
  progress_.set_sent_bytes(progress_.sent_bytes() + collective.sent_bytes() + sent);
  progress_.set_sums(devices_->manner());
  options_.team->Report(progress_);
  return result;
}

absl::StatusOr<BatchResult> AllReduceMember::Step(const TeamStep& step, const TeamAttempt& attempt) {
  auto result = Try(step, attempt);
  if (!result.ok()) devices_->Failed();
  return result;
}

absl::StatusOr<BatchResult> AllReduceMember::Evaluate(const Batch& batch, bool fresh) {
  if (fresh) {
    pull_.Drop();
    old_pull_.Drop();
    share_there_.reset();
    all_there_.reset();
    SYNCLINE_RETURN_IF_ERROR(Await<absl::Status>(
        [&](auto done) { client_->Observe({values_, nullptr, false}, std::move(done)); }));
    SYNCLINE_RETURN_IF_ERROR(network_->UploadValues());
  }
  return network_->Evaluate(batch);
}

}  // namespace syncline
