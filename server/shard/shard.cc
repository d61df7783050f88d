#include "server/shard/shard.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/policy/policy_factory.h"
#include "server/shard/dedupe.h"

namespace syncline {
namespace {

using Floats = std::vector<float>;

struct Staged {
  Incarnation incarnation;
  Clock clock;
  Fragments data;
};

// One chunk: everything under `mu`.
struct ChunkState {
  ChunkInfo info;
  absl::Mutex mu;
  std::shared_ptr<Floats> weights;
  std::vector<Floats> state;
  uint64_t version = 0;
  Dedupe dedupe;
  std::map<Rank, Staged> staged;

  Fragments Snapshot() const {
    return Fragments::Of(weights->data(), weights->size() * sizeof(float), weights);
  }
};

Floats ToFloats(const Fragments& data, size_t n) {
  Floats values(n);
  FloatReader reader(data);
  const float* from = reader.Next(n, values.data());
  if (from != values.data()) std::copy(from, from + n, values.begin());
  return values;
}

bool IsFinite(const Floats& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

void Count(std::vector<uint64_t>* histogram, uint64_t value) {
  const size_t bucket = std::min<uint64_t>(value, 1023);
  if (histogram->size() <= bucket) histogram->resize(bucket + 1);
  ++(*histogram)[bucket];
}

class ShardImpl final : public Shard {
 public:
  ShardImpl(ShardOptions options, std::unique_ptr<SyncPolicy> policy)
      : options_(std::move(options)), policy_(std::move(policy)) {
    for (const ChunkInfo& info : Chunks(options_.map)) {
      if (options_.map.owner(info.id) != options_.shard) continue;
      auto chunk = std::make_unique<ChunkState>();
      chunk->info = info;
      chunk->weights = std::make_shared<Floats>(info.elements);
      chunk->state.assign(options_.rule.state_slots, Floats(info.elements));
      if (options_.rule.initialize) {
        options_.rule.initialize(options_.map.tensors(info.tensor), info.begin, info.elements,
                                 chunk->weights->data());
      }
      by_id_[info.id] = chunk.get();
      chunks_.push_back(std::move(chunk));
    }
  }

  ~ShardImpl() override {
    for (auto& [ticket, pull] : waiting_) pull.done(absl::CancelledError("the shard is closing"));
    for (auto& [step, done] : snapshots_) done(absl::CancelledError("the shard is closing"));
  }

  absl::StatusOr<PushResult> Push(const Sender& sender, Clock clock,
                                  absl::Span<const ChunkGradient> gradients) override {
    PushResult result;
    std::vector<Floats> values;
    SYNCLINE_RETURN_IF_ERROR(CheckGradients(gradients, &values, &result));
    // Shared with other pushes; a fence takes it alone, so nothing is under way when it returns.
    absl::ReaderMutexLock members(&members_mu_);
    double step = 0;
    {
      absl::MutexLock lock(&mu_);
      SYNCLINE_RETURN_IF_ERROR(CheckSender(sender));
      SYNCLINE_ASSIGN_OR_RETURN(const auto verdict, policy_->OnPush(clock));
      ++pushes_;
      if (verdict == SyncPolicy::PushVerdict::kTooLate) {
        ++dropped_;
        return result;
      }
      for (const auto& [rank, member] : policy_->members().members()) {
        step += member.state != ClockTable::State::kRemoved;
      }
      step = 1 / std::max(step, 1.0);
    }
    for (size_t i = 0; i < gradients.size(); ++i) {
      if (!values[i].empty()) TakeGradient(sender, clock, gradients[i], values[i], step);
    }
    return result;
  }

  PullTicket Pull(const Sender& sender, Clock clock, std::vector<uint32_t> chunks, bool observer,
                  PullDone done) override {
    absl::Status status;
    for (const uint32_t id : chunks) {
      if (by_id_.count(id) == 0) status = NoChunk(id);
    }
    if (chunks.empty()) {
      for (const auto& chunk : chunks_) chunks.push_back(chunk->info.id);
    }
    Waiting pull{sender, clock, std::move(chunks), observer, std::move(done)};
    PullTicket ticket = 0;
    absl::StatusOr<PullResult> result = PullResult();
    {
      absl::MutexLock lock(&mu_);
      if (status.ok() && !observer) status = CheckSender(sender);
      std::optional<PullResult> answer;
      if (status.ok()) answer = Answer(pull);
      if (status.ok() && !answer) {
        ticket = ++last_ticket_;
        waiting_.emplace(ticket, std::move(pull));
        return ticket;
      }
      if (answer) {
        result = *std::move(answer);
      } else {
        result = status;
      }
    }
    pull.done(std::move(result));
    return 0;
  }

  void CancelPull(PullTicket ticket) override {
    PullDone done;
    {
      absl::MutexLock lock(&mu_);
      const auto it = waiting_.find(ticket);
      if (it == waiting_.end()) return;
      done = std::move(it->second.done);
      waiting_.erase(it);
    }
    done(absl::CancelledError("the pull was cancelled"));
  }

  absl::StatusOr<bool> Commit(const Sender& sender, Clock clock, uint64_t samples,
                              std::vector<Rank> contributors) override {
    bool accepted;
    {
      absl::ReaderMutexLock members(&members_mu_);
      absl::MutexLock lock(&mu_);
      SYNCLINE_RETURN_IF_ERROR(CheckSender(sender));
      if (policy_->staged() && samples > 0 && clock == policy_->clock() &&
          policy_->members().Find(sender.rank())->clock <= clock) {
        SYNCLINE_RETURN_IF_ERROR(CheckStaged(sender, clock));
      }
      SYNCLINE_ASSIGN_OR_RETURN(
          accepted, policy_->Commit(sender.rank(), {clock, samples, std::move(contributors)}));
      dropped_ += !accepted;
    }
    Proceed();
    return accepted;
  }

  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) override {
    UpdateMemberReply reply;
    {
      absl::WriterMutexLock members(&members_mu_);
      absl::MutexLock lock(&mu_);
      SYNCLINE_RETURN_IF_ERROR(Update(request, &reply));
      reply.set_clock(policy_->clock());
    }
    Proceed();
    return reply;
  }

  StopAtReply StopAt(uint64_t step) override {
    StopAtReply reply;
    {
      absl::MutexLock lock(&mu_);
      reply.set_accepted(policy_->StopAt(step));
      reply.set_step(policy_->clock());
    }
    Proceed();
    return reply;
  }

  void SnapshotAt(uint64_t step, SnapshotDone done) override {
    bool past;
    {
      absl::MutexLock lock(&mu_);
      past = policy_->staged() && policy_->clock() > step;
      if (!past) {
        snapshots_.emplace(policy_->staged() ? step : 0, std::move(done));
      }
    }
    if (past) {
      done(absl::FailedPreconditionError(absl::StrCat("step ", step, " is past: ask for a later")));
    } else {
      Proceed();
    }
  }

  absl::Status Restore(const ShardSnapshot& snapshot) override {
    SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options_.job, snapshot.step));
    absl::MutexLock lock(&mu_);
    if (!policy_->members().empty()) {
      return absl::FailedPreconditionError("restore a shard before workers are admitted to it");
    }
    std::unordered_map<uint32_t, const ChunkSnapshot*> found;
    for (const ChunkSnapshot& chunk : snapshot.chunks) found[chunk.chunk] = &chunk;
    for (const auto& chunk : chunks_) {
      const auto it = found.find(chunk->info.id);
      const size_t bytes = chunk->info.elements * sizeof(float);
      if (it == found.end() || it->second->weights.size() != bytes ||
          it->second->state.size() != chunk->state.size()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the snapshot has no chunk ", chunk->info.id, " of ", bytes, " bytes with ",
            chunk->state.size(), " optimizer slots: restore with the job it was written by"));
      }
      for (const Fragments& slot : it->second->state) {
        if (slot.size() != bytes) {
          return absl::InvalidArgumentError(
              absl::StrCat("an optimizer slot of chunk ", chunk->info.id, " has ", slot.size(),
                           " bytes instead of ", bytes));
        }
      }
    }
    for (const auto& chunk : chunks_) {
      const ChunkSnapshot& from = *found[chunk->info.id];
      absl::MutexLock chunk_lock(&chunk->mu);
      const size_t n = chunk->info.elements;
      chunk->weights = std::make_shared<Floats>(ToFloats(from.weights, n));
      for (size_t i = 0; i < from.state.size(); ++i) chunk->state[i] = ToFloats(from.state[i], n);
      chunk->version = from.version;
      chunk->dedupe.Restore(from.applied);
    }
    policy_ = std::move(policy);
    return absl::OkStatus();
  }

  absl::StatusOr<StepNormsReply> StepNorms(uint64_t) const override {
    return absl::UnimplementedError("clip_norm across shards is not available yet");
  }
  absl::Status SetPeerNorms(uint64_t, const StepNormsReply&) override {
    return absl::UnimplementedError("clip_norm across shards is not available yet");
  }

  ShardStatusReply Status() const override {
    absl::MutexLock lock(&mu_);
    ShardStatusReply reply;
    reply.set_shard(options_.shard);
    reply.set_step(policy_->clock());
    uint64_t elements = 0;
    for (const auto& chunk : chunks_) elements += chunk->info.elements;
    reply.set_bytes(elements * sizeof(float));
    reply.set_chunks(chunks_.size());
    reply.set_map_epoch(options_.map.epoch());
    reply.set_pushes(pushes_);
    reply.set_dropped(dropped_);
    for (const auto& [rank, member] : policy_->members().members()) {
      if (member.state == ClockTable::State::kRemoved) continue;
      MemberClock* clock = reply.add_members();
      clock->set_rank(rank);
      clock->set_incarnation(member.incarnation);
      clock->set_clock(member.clock);
    }
    for (const uint64_t count : clock_staleness_) reply.add_clock_staleness(count);
    for (const std::string& line : policy_->Waiting()) reply.add_waiting(line);
    absl::MutexLock counters(&counters_mu_);
    reply.set_duplicates(duplicates_);
    reply.set_nonfinite(nonfinite_);
    reply.set_pushed_bytes(pushed_bytes_);
    reply.set_pulled_bytes(pulled_bytes_);
    for (const uint64_t count : version_staleness_) reply.add_version_staleness(count);
    return reply;
  }

 private:
  struct Waiting {
    Sender sender;
    Clock clock;
    std::vector<uint32_t> chunks;
    bool observer;
    PullDone done;
  };

  absl::Status NoChunk(uint32_t id) const {
    return absl::InvalidArgumentError(
        absl::StrCat("chunk ", id, " is not on shard ", options_.shard, ": see the shard map"));
  }

  absl::Status CheckSender(const Sender& sender) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (sender.map_epoch() != options_.map.epoch()) {
      return absl::FailedPreconditionError(
          absl::StrCat("shard map epoch ", sender.map_epoch(), " is not this shard's, ",
                       options_.map.epoch(), ": fetch the map again"));
    }
    return policy_->members().Check(sender.rank(), sender.incarnation());
  }

  absl::Status CheckGradients(absl::Span<const ChunkGradient> gradients,
                              std::vector<Floats>* values, PushResult* result) {
    for (const ChunkGradient& gradient : gradients) {
      const auto it = by_id_.find(gradient.chunk);
      if (it == by_id_.end()) return NoChunk(gradient.chunk);
      const ChunkInfo& info = it->second->info;
      const std::string& tensor = options_.map.tensors(info.tensor).name();
      if (gradient.data.size() != info.elements * sizeof(float)) {
        return absl::InvalidArgumentError(
            absl::StrCat("chunk ", info.id, " of tensor ", tensor, " has ",
                         info.elements * sizeof(float), " bytes, the push ",
                         gradient.data.size()));
      }
      values->push_back(ToFloats(gradient.data, info.elements));
      if (options_.job.on_nonfinite() == NONFINITE_APPLY || IsFinite(values->back())) continue;
      absl::MutexLock lock(&counters_mu_);
      ++nonfinite_;
      if (options_.job.on_nonfinite() != NONFINITE_SKIP) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the gradient of tensor ", tensor, " holds NaN or infinity: lower the learning rate, "
            "clip it, or set on_nonfinite to skip"));
      }
      result->skipped.push_back(info.id);
      values->back().clear();
    }
    return absl::OkStatus();
  }

  void TakeGradient(const Sender& sender, Clock clock, const ChunkGradient& gradient,
                    const Floats& values, double share) {
    ChunkState* chunk = by_id_[gradient.chunk];
    uint64_t staleness = 0;
    bool fresh;
    {
      absl::MutexLock lock(&chunk->mu);
      fresh = chunk->dedupe.Take(sender.rank(), sender.incarnation(), clock) ||
              options_.forget_pushes_for_test;
      staleness = chunk->version - std::min(gradient.version, chunk->version);
      if (fresh && policy_staged_) {
        chunk->staged[sender.rank()] = {sender.incarnation(), clock, gradient.data};
      } else if (fresh) {
        const double scale = options_.job.staleness_scaled_lr() ? 1.0 / (1 + staleness) : 1;
        Update(chunk, values.data(), chunk->version * share, scale);
      }
    }
    absl::MutexLock lock(&counters_mu_);
    duplicates_ += !fresh;
    pushed_bytes_ += gradient.data.size();
    if (fresh) Count(&version_staleness_, staleness);
  }

  // One update of a chunk whose mutex is held. Weights a puller still looks at are left as they are.
  void Update(ChunkState* chunk, const float* gradient, double step, double scale) {
    if (chunk->weights.use_count() > 1) chunk->weights = std::make_shared<Floats>(*chunk->weights);
    options_.rule.update(++chunk->version, step, scale, gradient, chunk->weights->data(),
                         &chunk->state, chunk->info.elements);
  }

  absl::Status CheckStaged(const Sender& sender, Clock clock) {
    for (const auto& chunk : chunks_) {
      absl::MutexLock lock(&chunk->mu);
      const auto it = chunk->staged.find(sender.rank());
      if (it == chunk->staged.end() || it->second.incarnation != sender.incarnation() ||
          it->second.clock != clock) {
        return absl::FailedPreconditionError(
            absl::StrCat("rank ", sender.rank(), " commits step ", clock, " but has not pushed chunk ",
                         chunk->info.id, ": push every chunk first, or commit 0 samples"));
      }
    }
    return absl::OkStatus();
  }

  absl::Status Update(const UpdateMemberRequest& request, UpdateMemberReply* reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const auto to_policy = [](const CommitRequest& c) {
      return StepCommit{c.clock(), c.samples(), {c.contributors().begin(), c.contributors().end()}};
    };
    std::optional<StepCommit> last;
    if (request.has_last_commit()) last = to_policy(request.last_commit());
    switch (request.action()) {
      case UpdateMemberRequest::ADMIT:
        return policy_->Admit(request.rank(), request.incarnation(), request.clock());
      case UpdateMemberRequest::REMOVE:
        return policy_->Remove(request.rank(), request.incarnation(), request.clock(), last);
      default: {
        const auto fenced = policy_->Fence(request.rank(), request.incarnation());
        reply->set_committed(fenced.committed);
        if (!fenced.last_commit) return absl::OkStatus();
        CommitRequest* commit = reply->mutable_last_commit();
        commit->set_clock(fenced.last_commit->clock);
        commit->set_samples(fenced.last_commit->samples);
        for (const Rank rank : fenced.last_commit->contributors) commit->add_contributors(rank);
        return absl::OkStatus();
      }
    }
  }

  // The answer to a pull, if it need not wait. Under mu_, so no step begins meanwhile.
  std::optional<PullResult> Answer(const Waiting& pull) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    PullResult result;
    if (!pull.observer) {
      switch (policy_->OnPull(pull.clock)) {
        case SyncPolicy::PullVerdict::kWait:
          return std::nullopt;
        case SyncPolicy::PullVerdict::kStopped:
          result.verdict = PullReply::STOPPED;
          break;
        case SyncPolicy::PullVerdict::kClosed:
          result.verdict = PullReply::STEP_CLOSED;
          break;
        case SyncPolicy::PullVerdict::kGranted:
          Count(&clock_staleness_, pull.clock - std::min(pull.clock, policy_->clock()));
      }
    }
    result.clock = policy_->clock();
    if (result.verdict != PullReply::GRANTED) return result;
    uint64_t bytes = 0;
    for (const uint32_t id : pull.chunks) {
      ChunkState* chunk = by_id_[id];
      absl::MutexLock lock(&chunk->mu);
      result.chunks.push_back({id, chunk->version, chunk->Snapshot()});
      bytes += result.chunks.back().data.size();
    }
    absl::MutexLock lock(&counters_mu_);
    pulled_bytes_ += bytes;
    return result;
  }

  // Applies the steps that are ready, then answers whoever waited for that, outside the locks.
  void Proceed() {
    std::vector<std::function<void()>> calls;
    {
      absl::MutexLock lock(&mu_);
      TakeSnapshots(&calls);
      while (const auto ready = policy_->Ready()) {
        ApplyStep(*ready);
        policy_->StepApplied();
        TakeSnapshots(&calls);
      }
      for (auto it = waiting_.begin(); it != waiting_.end();) {
        absl::StatusOr<PullResult> result = PullResult();
        const absl::Status member =
            it->second.observer ? absl::OkStatus() : CheckSender(it->second.sender);
        if (member.ok()) {
          auto answer = Answer(it->second);
          if (!answer) {
            ++it;
            continue;
          }
          result = *std::move(answer);
        } else {
          result = member;
        }
        calls.push_back([done = std::move(it->second.done), result] { done(result); });
        it = waiting_.erase(it);
      }
    }
    for (const auto& call : calls) call();
  }

  // The mean of the contributions weighted by samples, summed in rank order, on every chunk.
  void ApplyStep(const SyncPolicy::ReadyStep& ready) {
    double samples = 0;
    for (const auto& c : ready.contributions) samples += c.samples;
    const auto body = [&](size_t i) {
      ChunkState* chunk = chunks_[i].get();
      absl::MutexLock lock(&chunk->mu);
      if (samples > 0) {
        Floats mean(chunk->info.elements);
        for (const auto& c : ready.contributions) {
          if (c.samples == 0) continue;
          const Floats part = ToFloats(chunk->staged.at(c.rank).data, mean.size());
          const float weight = static_cast<float>(c.samples / samples);
          for (size_t k = 0; k < mean.size(); ++k) mean[k] += weight * part[k];
        }
        Update(chunk, mean.data(), ready.step, 1);
      }
      chunk->staged.clear();
    };
    if (options_.parallel_for) {
      options_.parallel_for(chunks_.size(), body);
    } else {
      for (size_t i = 0; i < chunks_.size(); ++i) body(i);
    }
  }

  void TakeSnapshots(std::vector<std::function<void()>>* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const Clock now = policy_->staged() ? policy_->clock() : 0;
    const auto [begin, end] = snapshots_.equal_range(now);
    for (auto it = begin; it != end; ++it) {
      ShardSnapshot snapshot;
      snapshot.step = policy_->clock();
      for (const auto& chunk : chunks_) {
        absl::MutexLock lock(&chunk->mu);
        ChunkSnapshot copy{chunk->info.id, chunk->version, chunk->Snapshot(), {}, {}};
        for (const Floats& slot : chunk->state) {
          const auto owned = std::make_shared<Floats>(slot);
          copy.state.push_back(
              Fragments::Of(owned->data(), owned->size() * sizeof(float), owned));
        }
        copy.applied = chunk->dedupe.applied();
        snapshot.chunks.push_back(std::move(copy));
      }
      calls->push_back([done = std::move(it->second), snapshot] { done(snapshot); });
    }
    snapshots_.erase(begin, end);
  }

  const ShardOptions options_;
  const bool policy_staged_ = options_.job.sync_mode() <= SYNC;
  std::vector<std::unique_ptr<ChunkState>> chunks_;
  std::unordered_map<uint32_t, ChunkState*> by_id_;

  // In this order: members_mu_, mu_, a chunk's, counters_mu_.
  absl::Mutex members_mu_;
  mutable absl::Mutex mu_;
  std::unique_ptr<SyncPolicy> policy_ ABSL_GUARDED_BY(mu_);
  std::map<PullTicket, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::multimap<Clock, SnapshotDone> snapshots_ ABSL_GUARDED_BY(mu_);
  PullTicket last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<uint64_t> clock_staleness_ ABSL_GUARDED_BY(mu_);
  uint64_t pushes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  mutable absl::Mutex counters_mu_;
  uint64_t duplicates_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t nonfinite_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t pushed_bytes_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t pulled_bytes_ ABSL_GUARDED_BY(counters_mu_) = 0;
  std::vector<uint64_t> version_staleness_ ABSL_GUARDED_BY(counters_mu_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(ShardOptions options) {
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(options.map));
  if (!options.rule.update) return absl::InvalidArgumentError("rule.update must be set");
  if (options.job.optimizer().clip_norm() > 0 && options.job.sync_mode() <= SYNC) {
    return absl::UnimplementedError(
        "optimizer.clip_norm is not available in sync yet: use clip_value, or leave it 0");
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options.job, 0));
  return std::make_unique<ShardImpl>(std::move(options), std::move(policy));
}

}  // namespace syncline
