#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/policy/policy_factory.h"
#include "server/shard/shard_impl.h"

namespace syncline {

void ShardImpl::Close() {
  std::map<PullTicket, Waiting> pulls;
  std::multimap<Clock, SnapshotDone> snapshots;
  std::multimap<Replication::Moment, std::function<void(absl::Status)>> unsafe;
  std::vector<std::function<void(absl::Status)>> awaiting_chunks;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    unsafe.swap(unsafe_);
    pulls.swap(waiting_);
    snapshots.swap(snapshots_);
    awaiting_chunks.swap(awaiting_chunks_);
  }
  worker_states_.Close();
  for (auto& [ticket, pull] : pulls) pull.done(ShardClosing());
  for (auto& [step, done] : snapshots) done(ShardClosing());
  for (auto& [moment, done] : unsafe) done(ShardClosing());
  for (const auto& then : awaiting_chunks) then(ShardClosing());
}

absl::Status ShardImpl::CheckMember(const Sender& sender) const {
  return policy_->members().Check(sender.rank(), sender.incarnation());
}

absl::Status ShardImpl::CheckSender(const Sender& sender, Clock clock, MapState::Call call) const {
  SYNCLINE_RETURN_IF_ERROR(CheckMember(sender));
  return maps_.Check(sender.map_epoch(), clock, call);
}

size_t ShardImpl::LiveWorkers() const {
  const auto& members = policy_->members().members();
  return std::count_if(members.begin(), members.end(), [](const auto& member) {
    return member.second.state != ClockTable::State::kRemoved;
  });
}

absl::StatusOr<Shard::PushResult> ShardImpl::Push(const Sender& sender, Clock clock,
                                                  absl::Span<const ChunkGradient> gradients) {
  PushResult result;
  SYNCLINE_RETURN_IF_ERROR(chunks_->Check(gradients, &result.skipped));
  absl::ReaderMutexLock members(&members_mu_);
  {
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(CheckSender(sender, clock, MapState::Call::kPush));
    result.live_workers = std::max<size_t>(LiveWorkers(), 1);
    SYNCLINE_ASSIGN_OR_RETURN(const auto verdict, policy_->OnPush(clock));
    if (verdict == SyncPolicy::PushVerdict::kTooLate && !TakesAgain(clock)) {
      ++pushes_;
      ++dropped_;
      return result;
    }
    for (const ChunkGradient& gradient : gradients) {
      SYNCLINE_RETURN_IF_ERROR(chunks_->CheckOwned(gradient.chunk));
    }
    ++pushes_;
  }
  const auto& skipped = result.skipped;
  size_t bytes = 0;
  for (const ChunkGradient& gradient : gradients) bytes += gradient.data.size();
  std::vector<ColdReads> cold;
  if (!staged_) {
    SYNCLINE_ASSIGN_OR_RETURN(cold, chunks_->ReadCold(gradients));
  }
  std::vector<absl::Status> applied(gradients.size());
  ForEachOf(options_.parallel_for, bytes, gradients.size(), [&](size_t i) {
    const ChunkGradient& gradient = gradients[i];
    if (std::find(skipped.begin(), skipped.end(), gradient.chunk) != skipped.end()) return;
    if (staged_) {
      chunks_->Stage(sender, clock, gradient);
    } else {
      applied[i] = chunks_->Apply(sender, clock, gradient, cold[i], result.live_workers);
    }
  });
  if (!staged_ && replication_.active()) {
    std::vector<uint32_t> chunks;
    for (const ChunkGradient& gradient : gradients) chunks.push_back(gradient.chunk);
    replication_.Changed(chunks);
    Replicate();
  }
  for (const absl::Status& one : applied) SYNCLINE_RETURN_IF_ERROR(one);
  return result;
}

Shard::PullTicket ShardImpl::Pull(const Sender& sender, PullSpec spec, PullDone done) {
  if (const absl::Status right = chunks_->CheckAsked(spec.chunks, spec.keys); !right.ok()) {
    done(right);
    return 0;
  }
  if (!spec.held.empty() && spec.held.size() != spec.chunks.size()) {
    done(absl::InvalidArgumentError(absl::StrCat("held: ", spec.held.size(), " versions for ",
                                                 spec.chunks.size(), " chunks; give one for each, or "
                                                 "none")));
    return 0;
  }
  Waiting pull{sender, std::move(spec), std::move(done)};
  std::optional<absl::StatusOr<PullResult>> answer;
  {
    absl::MutexLock lock(&mu_);
    answer = Answer(pull);
    if (!answer && closed_) answer = ShardClosing();
    if (!answer) {
      waiting_.emplace(++last_ticket_, std::move(pull));
      return last_ticket_;
    }
  }
  Deliver(pull, *std::move(answer));
  return 0;
}

void ShardImpl::CancelPull(PullTicket ticket) {
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

absl::StatusOr<bool> ShardImpl::Commit(const Sender& sender, Clock clock, uint64_t samples,
                                       std::vector<Rank> contributors) {
  bool accepted;
  {
    absl::ReaderMutexLock members(&members_mu_);
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(CheckSender(sender, clock, MapState::Call::kCommit));
    const bool first = policy_->members().Find(sender.rank())->clock <= clock;
    // A step being applied has forgotten some of what was staged; a commit is too late for it.
    if (staged_ && samples > 0 && first && !applying_ && clock == policy_->clock()) {
      SYNCLINE_RETURN_IF_ERROR(AskAgain(chunks_->CheckStaged(sender.rank(), sender.incarnation(), clock)));
    }
    if (samples > 0) SYNCLINE_RETURN_IF_ERROR(CommitAgain(sender, clock));
    SYNCLINE_ASSIGN_OR_RETURN(
        accepted, policy_->Commit(sender.rank(), {clock, samples, std::move(contributors)}));
    dropped_ += !accepted;
  }
  Proceed();
  return accepted;
}

absl::StatusOr<bool> ShardImpl::SetPeerNorms(uint64_t step, const StepNormsReply& norms) {
  SYNCLINE_ASSIGN_OR_RETURN(const bool complete, norms_.AddPeer(step, norms));
  Proceed();
  return complete;
}

// The answer to a pull, if it need not wait. Steps are not applied under mu_, so the chunks of a
// staged shard are read here; where pushes apply on arrival, Deliver reads them without the lock.
std::optional<absl::StatusOr<Shard::PullResult>> ShardImpl::Answer(const Waiting& pull) {
  PullResult result;
  result.map_epoch = maps_.newest_epoch();
  if (pull.spec.observer && applying_) return std::nullopt;  // chunks of two steps
  if (!pull.spec.observer) {
    const absl::Status right = CheckSender(pull.sender, pull.spec.clock, MapState::Call::kPull);
    if (!right.ok()) return right;
    if (maps_.Holds(pull.spec.clock)) return std::nullopt;
    switch (policy_->OnPull(pull.spec.clock)) {
      case SyncPolicy::PullVerdict::kWait: {
        if (!not_made_.ok()) return not_made_;
        // What it waits for may be said to the shards of a newer map alone.
        const absl::Status newest =
            maps_.Check(pull.sender.map_epoch(), pull.spec.clock, MapState::Call::kCommit);
        if (!staged_ && !newest.ok()) return newest;
        return std::nullopt;
      }
      case SyncPolicy::PullVerdict::kStopped:
        // Who leaves now takes what it pushed along.
        if (!IsSafe(pull.sender.rank())) return std::nullopt;
        result.verdict = PullReply::STOPPED;
        break;
      case SyncPolicy::PullVerdict::kClosed:
        result.verdict = PullReply::STEP_CLOSED;
        break;
      case SyncPolicy::PullVerdict::kGranted:
        if (!IsSafe(pull.sender.rank())) return std::nullopt;
        if (absl::IsUnavailable(CheckReadable(pull.spec))) return std::nullopt;  // a chunk is on its way
        clock_staleness_.Add(pull.spec.clock - std::min(pull.spec.clock, policy_->clock()));
        begun_ = std::max(begun_, pull.spec.clock + 1);
        result.state_wanted =
            workers_carry_state_ &&
            worker_states_.Wanted({pull.sender.rank(), pull.sender.incarnation()}, pull.spec.clock);
    }
  }
  result.clock = policy_->clock();
  if (result.verdict != PullReply::GRANTED) return result;
  const absl::Status readable = CheckReadable(pull.spec);
  if (!readable.ok()) return readable;
  if (!staged_) return result;
  if (!pull.spec.keys.empty()) {
    // Read without the lock, as they may be many; until then no step is applied.
    ++reading_rows_;
    return result;
  }
  auto read = Read(pull.spec);
  if (!read.ok()) return read.status();
  result.chunks = *std::move(read);
  return result;
}

absl::Status ShardImpl::CheckReadable(const PullSpec& pull) const {
  const bool leaving = !pull.observer && maps_.ReadsLeaving(pull.clock);
  for (const uint32_t id : pull.chunks) {
    if (pull.copies && ReadsCopy(id)) continue;
    SYNCLINE_RETURN_IF_ERROR(chunks_->CheckOwned(id, leaving));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<PulledChunk>> ShardImpl::Read(const PullSpec& pull) {
  if (pull.only_waits) return std::vector<PulledChunk>();
  if (!pull.keys.empty()) return chunks_->ReadRows(pull.chunks, pull.keys, pull.with_state, pull.rows_to);
  return chunks_->Read(pull.chunks.empty() ? chunks_->dense_ids() : pull.chunks, pull.held);
}

void ShardImpl::Deliver(const Waiting& pull, absl::StatusOr<PullResult> answer) {
  const bool granted = answer.ok() && answer->verdict == PullReply::GRANTED;
  const bool rows = !pull.spec.keys.empty();
  if (granted && (!staged_ || rows)) {
    auto read = Read(pull.spec);
    if (staged_) RowsRead();
    if (!read.ok()) return pull.done(read.status());
    answer->chunks = *std::move(read);
  }
  const bool answering = granted && options_.answering;
  if (answering) options_.answering(true);
  pull.done(std::move(answer));
  if (answering) options_.answering(false);
}

void ShardImpl::RowsRead() {
  {
    absl::MutexLock lock(&mu_);
    if (--reading_rows_ > 0) return;
  }
  Proceed();
}

// Does what has become possible, then answers whoever waited for it, outside the locks.
void ShardImpl::Proceed() {
  Calls calls;
  mu_.Lock();
  if (!applying_) {
    GiveAway(&calls);
    TakeSnapshots(&calls);
    ApplyReadySteps(&calls);
    AnswerWaiting(&calls);
  }
  AnswerSafe(&calls);
  mu_.Unlock();
  Replicate();
  // An answer to a pull may copy or encode all of its weights.
  ForEachOf(options_.parallel_for, calls.size() * 2 * chunks_->bytes(), calls.size(),
            [&](size_t i) { calls[i](); });
}

// Lets go of mu_ while a step is applied, so that pushes, pulls and status do not wait for it.
void ShardImpl::ApplyReadySteps(Calls* calls) {
  while (reading_rows_ == 0 && Recovered()) {
    const auto ready = policy_->Ready();
    if (!ready) return;
    // Chunks that come with a change of the map have this step's updates yet to be made.
    if (maps_.Leaves(ready->step) || (maps_.changing() && chunks_->arriving() > 0 &&
                                      ready->step >= maps_.from_step())) {
      return;
    }
    applying_ = true;
    mu_.Unlock();
    const std::optional<float> scale = ScaleOf(*ready, calls);
    const absl::Status made = scale ? chunks_->ApplyStep(*ready, *scale) : absl::OkStatus();
    mu_.Lock();
    applying_ = false;
    not_made_ = made;
    // Whoever comes next tries again.
    if (!made.ok()) return;
    if (scale) {
      policy_->StepApplied();
      last_made_ = MadeStep{*ready, *scale};
      if (replication_.active()) replication_.Changed(chunks_->ids());
      GiveAway(calls);
      TakeSnapshots(calls);
    } else if (!norms_.Scale(ready->step)) {
      return;  // SetPeerNorms goes on
    }
  }
}

std::optional<float> ShardImpl::ScaleOf(const SyncPolicy::ReadyStep& step, Calls* calls) {
  if (const auto known = norms_.Scale(step.step)) return known;
  const bool begun = norms_.Begun(step.step);
  if (!begun) norms_.SetOwn(step.step, chunks_->MeanNorms(step));
  const std::optional<float> scale = norms_.Scale(step.step);
  if (!scale && !begun && options_.norms_wanted) {
    calls->push_back([this, number = step.step] { options_.norms_wanted(number); });
  }
  return scale;
}

void ShardImpl::AnswerWaiting(Calls* calls) {
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    auto answer = Answer(it->second);
    if (!answer) {
      ++it;
      continue;
    }
    calls->push_back([this, pull = std::move(it->second), result = *std::move(answer)] {
      Deliver(pull, result);
    });
    it = waiting_.erase(it);
  }
}

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(ShardOptions options) {
  SYNCLINE_ASSIGN_OR_RETURN(
      auto chunks,
      ChunkTable::Create({options.job, options.map, options.shard, options.parallel_for,
                          options.seconds, options.table_memory, options.forget_pushes_for_test}));
  SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options.job, 0));
  if (options.members) policy->Load(*options.members);
  return std::make_unique<ShardImpl>(std::move(options), std::move(policy), std::move(chunks));
}

}  // namespace syncline
