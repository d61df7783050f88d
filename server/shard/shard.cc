#include "server/shard/shard.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/status/status_macros.h"
#include "server/policy/policy_factory.h"
#include "server/shard/histogram.h"
#include "server/shard/norm_exchange.h"

namespace syncline {
namespace {

// Callbacks gathered under the lock, to run after it.
using Calls = std::vector<std::function<void()>>;

StepCommit ToStepCommit(const CommitRequest& c) {
  return {c.clock(), c.samples(), {c.contributors().begin(), c.contributors().end()}};
}

// The members' side of a shard: it asks the policy what may happen, and has the chunk table do it.
class ShardImpl final : public Shard {
 public:
  ShardImpl(ShardOptions options, std::unique_ptr<SyncPolicy> policy,
            std::unique_ptr<ChunkTable> chunks)
      : options_(std::move(options)),
        staged_(policy->staged()),
        chunks_(std::move(chunks)),
        norms_(options_.map.owner_size()),
        policy_(std::move(policy)) {}

  ~ShardImpl() override { ShardImpl::Close(); }
  void Close() override;

  bool commits_with_push() const override {
    return !staged_ || options_.map.shards_size() == 1;
  }
  absl::StatusOr<size_t> Elements(uint32_t chunk) const override {
    return chunks_->Elements(chunk);
  }
  absl::StatusOr<PushResult> Push(const Sender& sender, Clock clock,
                                  absl::Span<const ChunkGradient> gradients) override;
  PullTicket Pull(const Sender& sender, PullSpec pull, PullDone done) override;
  void CancelPull(PullTicket ticket) override;
  absl::StatusOr<bool> Commit(const Sender& sender, Clock clock, uint64_t samples,
                              std::vector<Rank> contributors) override;
  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) override;
  StopAtReply StopAt(uint64_t step) override;
  void SnapshotAt(uint64_t step, SnapshotDone done) override;
  absl::Status Restore(const ShardSnapshot& snapshot) override;
  absl::StatusOr<StepNormsReply> StepNorms(uint64_t step) const override {
    return norms_.Own(step);
  }
  absl::Status SetPeerNorms(uint64_t step, const StepNormsReply& norms) override;
  ShardStatusReply Status() const override;

 private:
  struct Waiting {
    Sender sender;
    PullSpec spec;
    PullDone done;
  };

  absl::Status CheckSender(const Sender& sender) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t LiveWorkers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Update(const UpdateMemberRequest& request, UpdateMemberReply* reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<absl::StatusOr<PullResult>> Answer(const Waiting& pull)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Deliver(const Waiting& pull, absl::StatusOr<PullResult> answer);
  void Proceed();
  void ApplyReadySteps(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool TryApply(const SyncPolicy::ReadyStep& step, Calls* calls);
  void TakeSnapshots(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AnswerWaiting(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ShardOptions options_;
  const bool staged_;
  const std::unique_ptr<ChunkTable> chunks_;
  NormExchange norms_;

  // Shared by pushes and commits; a change of members takes it alone, so that nothing of a fenced
  // worker is under way when it returns. Before mu_.
  absl::Mutex members_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  std::unique_ptr<SyncPolicy> policy_ ABSL_GUARDED_BY(mu_);
  // A thread is applying a step, without mu_. It looks at everything again before it goes.
  bool applying_ ABSL_GUARDED_BY(mu_) = false;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<PullTicket, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  PullTicket last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  std::multimap<Clock, SnapshotDone> snapshots_ ABSL_GUARDED_BY(mu_);
  Histogram clock_staleness_ ABSL_GUARDED_BY(mu_);
  uint64_t pushes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
};

absl::Status Closing() { return absl::CancelledError("the shard is closing"); }

void ShardImpl::Close() {
  std::map<PullTicket, Waiting> pulls;
  std::multimap<Clock, SnapshotDone> snapshots;
  {
    absl::MutexLock lock(&mu_);
    closed_ = true;
    pulls.swap(waiting_);
    snapshots.swap(snapshots_);
  }
  for (auto& [ticket, pull] : pulls) pull.done(Closing());
  for (auto& [step, done] : snapshots) done(Closing());
}

absl::Status ShardImpl::CheckSender(const Sender& sender) const {
  if (sender.map_epoch() != options_.map.epoch()) {
    return absl::FailedPreconditionError(
        absl::StrCat("shard map epoch ", sender.map_epoch(), " is not this shard's, ",
                     options_.map.epoch(), ": fetch the map again"));
  }
  return policy_->members().Check(sender.rank(), sender.incarnation());
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
    SYNCLINE_RETURN_IF_ERROR(CheckSender(sender));
    result.live_workers = std::max<size_t>(LiveWorkers(), 1);
    SYNCLINE_ASSIGN_OR_RETURN(const auto verdict, policy_->OnPush(clock));
    ++pushes_;
    if (verdict == SyncPolicy::PushVerdict::kTooLate) {
      ++dropped_;
      return result;
    }
  }
  const auto& skipped = result.skipped;
  size_t bytes = 0;
  for (const ChunkGradient& gradient : gradients) bytes += gradient.data.size();
  ForEachOf(options_.parallel_for, bytes, gradients.size(), [&](size_t i) {
    const ChunkGradient& gradient = gradients[i];
    if (std::find(skipped.begin(), skipped.end(), gradient.chunk) != skipped.end()) return;
    if (staged_) {
      chunks_->Stage(sender, clock, gradient);
    } else {
      chunks_->Apply(sender, clock, gradient, result.live_workers);
    }
  });
  return result;
}

Shard::PullTicket ShardImpl::Pull(const Sender& sender, PullSpec spec, PullDone done) {
  for (const uint32_t id : spec.chunks) {
    const absl::Status owned = chunks_->CheckOwned(id);
    if (owned.ok()) continue;
    done(owned);
    return 0;
  }
  if (!spec.held.empty() && spec.held.size() != spec.chunks.size()) {
    done(absl::InvalidArgumentError(absl::StrCat("held: ", spec.held.size(), " versions for ",
                                                 spec.chunks.size(), " chunks; give one for each, or "
                                                 "none")));
    return 0;
  }
  if (spec.chunks.empty()) spec.chunks = chunks_->ids();
  Waiting pull{sender, std::move(spec), std::move(done)};
  std::optional<absl::StatusOr<PullResult>> answer;
  {
    absl::MutexLock lock(&mu_);
    answer = Answer(pull);
    if (!answer && closed_) answer = Closing();
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
    SYNCLINE_RETURN_IF_ERROR(CheckSender(sender));
    const bool first = policy_->members().Find(sender.rank())->clock <= clock;
    // A step being applied has forgotten some of what was staged; a commit is too late for it.
    if (staged_ && samples > 0 && first && !applying_ && clock == policy_->clock()) {
      SYNCLINE_RETURN_IF_ERROR(chunks_->CheckStaged(sender.rank(), sender.incarnation(), clock));
    }
    SYNCLINE_ASSIGN_OR_RETURN(
        accepted, policy_->Commit(sender.rank(), {clock, samples, std::move(contributors)}));
    dropped_ += !accepted;
  }
  Proceed();
  return accepted;
}

absl::StatusOr<UpdateMemberReply> ShardImpl::UpdateMember(const UpdateMemberRequest& request) {
  UpdateMemberReply reply;
  {
    absl::WriterMutexLock members(&members_mu_);
    absl::MutexLock lock(&mu_);
    // A step being applied has its contributors; nothing may change them now.
    const auto idle = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return !applying_; };
    mu_.Await(absl::Condition(&idle));
    SYNCLINE_RETURN_IF_ERROR(Update(request, &reply));
    reply.set_clock(policy_->clock());
  }
  Proceed();
  return reply;
}

absl::Status ShardImpl::Update(const UpdateMemberRequest& request, UpdateMemberReply* reply) {
  const Rank rank = request.rank();
  const Incarnation incarnation = request.incarnation();
  switch (request.action()) {
    case UpdateMemberRequest::ADMIT:
      return policy_->Admit(rank, incarnation, request.clock());
    case UpdateMemberRequest::FENCE: {
      const auto fenced = policy_->Fence(rank, incarnation);
      reply->set_committed(fenced.committed);
      if (!fenced.last_commit) return absl::OkStatus();
      CommitRequest* commit = reply->mutable_last_commit();
      commit->set_clock(fenced.last_commit->clock);
      commit->set_samples(fenced.last_commit->samples);
      for (const Rank r : fenced.last_commit->contributors) commit->add_contributors(r);
      return absl::OkStatus();
    }
    case UpdateMemberRequest::REMOVE: {
      std::optional<StepCommit> last;
      if (request.has_last_commit()) last = ToStepCommit(request.last_commit());
      const ClockTable::Member* member = policy_->members().Find(rank);
      const bool commits_here = staged_ && last && last->samples > 0 && member != nullptr &&
                                member->incarnation == incarnation &&
                                member->clock < request.clock() && last->clock == policy_->clock();
      if (commits_here) {
        SYNCLINE_RETURN_IF_ERROR(chunks_->CheckStaged(rank, incarnation, last->clock));
      }
      return policy_->Remove(rank, incarnation, request.clock(), last, request.drop());
    }
    default:
      return absl::InvalidArgumentError(absl::StrCat(
          "action is ", request.action(), ": it must be ADMIT, FENCE or REMOVE"));
  }
}

StopAtReply ShardImpl::StopAt(uint64_t step) {
  StopAtReply reply;
  Calls calls;
  {
    absl::MutexLock lock(&mu_);
    reply.set_accepted(policy_->StopAt(step));
    reply.set_step(policy_->clock());
    if (reply.accepted() && staged_) {
      for (auto it = snapshots_.upper_bound(step); it != snapshots_.end();) {
        calls.push_back([done = std::move(it->second), step] {
          done(absl::FailedPreconditionError(absl::StrCat("training stops before step ", step)));
        });
        it = snapshots_.erase(it);
      }
    }
  }
  for (const auto& call : calls) call();
  Proceed();
  return reply;
}

void ShardImpl::SnapshotAt(uint64_t step, SnapshotDone done) {
  absl::Status refused;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) {
      refused = Closing();
    } else if (staged_ && policy_->clock() > step) {
      refused = absl::FailedPreconditionError(
          absl::StrCat("step ", step, " is past on this shard: ask for a later one"));
    } else {
      snapshots_.emplace(staged_ ? step : 0, std::move(done));
    }
  }
  if (!refused.ok()) return done(refused);
  Proceed();
}

absl::Status ShardImpl::Restore(const ShardSnapshot& snapshot) {
  SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options_.job, snapshot.step));
  absl::MutexLock lock(&mu_);
  if (!policy_->members().empty()) {
    return absl::FailedPreconditionError("restore a shard before workers are admitted to it");
  }
  SYNCLINE_RETURN_IF_ERROR(chunks_->Restore(snapshot));
  policy_ = std::move(policy);
  return absl::OkStatus();
}

absl::Status ShardImpl::SetPeerNorms(uint64_t step, const StepNormsReply& norms) {
  SYNCLINE_RETURN_IF_ERROR(norms_.AddPeer(step, norms));
  Proceed();
  return absl::OkStatus();
}

ShardStatusReply ShardImpl::Status() const {
  ShardStatusReply reply;
  chunks_->FillStatus(&reply);
  absl::MutexLock lock(&mu_);
  reply.set_step(policy_->clock());
  reply.set_pushes(pushes_);
  reply.set_dropped(dropped_);
  for (const auto& [rank, member] : policy_->members().members()) {
    if (member.state == ClockTable::State::kRemoved) continue;
    MemberClock* clock = reply.add_members();
    clock->set_rank(rank);
    clock->set_incarnation(member.incarnation);
    clock->set_clock(member.clock);
  }
  const auto& counts = clock_staleness_.counts();
  reply.mutable_clock_staleness()->Assign(counts.begin(), counts.end());
  for (const std::string& line : policy_->Waiting()) reply.add_waiting(line);
  return reply;
}

// The answer to a pull, if it need not wait. Steps are not applied under mu_, so the chunks of a
// staged shard are read here; where pushes apply on arrival, Deliver reads them without the lock.
std::optional<absl::StatusOr<Shard::PullResult>> ShardImpl::Answer(const Waiting& pull) {
  PullResult result;
  if (pull.spec.observer && applying_) return std::nullopt;  // chunks of two steps
  if (!pull.spec.observer) {
    const absl::Status member = CheckSender(pull.sender);
    if (!member.ok()) return member;
    switch (policy_->OnPull(pull.spec.clock)) {
      case SyncPolicy::PullVerdict::kWait:
        return std::nullopt;
      case SyncPolicy::PullVerdict::kStopped:
        result.verdict = PullReply::STOPPED;
        break;
      case SyncPolicy::PullVerdict::kClosed:
        result.verdict = PullReply::STEP_CLOSED;
        break;
      case SyncPolicy::PullVerdict::kGranted:
        clock_staleness_.Add(pull.spec.clock - std::min(pull.spec.clock, policy_->clock()));
    }
  }
  result.clock = policy_->clock();
  if (staged_ && result.verdict == PullReply::GRANTED) {
    result.chunks = chunks_->Read(pull.spec.chunks, pull.spec.held);
  }
  return result;
}

void ShardImpl::Deliver(const Waiting& pull, absl::StatusOr<PullResult> answer) {
  if (!staged_ && answer.ok() && answer->verdict == PullReply::GRANTED) {
    answer->chunks = chunks_->Read(pull.spec.chunks, pull.spec.held);
  }
  pull.done(std::move(answer));
}

// Does what has become possible, then answers whoever waited for it, outside the locks.
void ShardImpl::Proceed() {
  Calls calls;
  mu_.Lock();
  if (!applying_) {
    TakeSnapshots(&calls);
    ApplyReadySteps(&calls);
    AnswerWaiting(&calls);
  }
  mu_.Unlock();
  for (const auto& call : calls) call();
}

// Lets go of mu_ while a step is applied, so that pushes, pulls and status do not wait for it.
void ShardImpl::ApplyReadySteps(Calls* calls) {
  while (const auto ready = policy_->Ready()) {
    applying_ = true;
    mu_.Unlock();
    const bool applied = TryApply(*ready, calls);
    mu_.Lock();
    applying_ = false;
    if (applied) {
      policy_->StepApplied();
      TakeSnapshots(calls);
    } else if (!norms_.Norm(ready->step)) {
      return;  // SetPeerNorms goes on
    }
  }
}

// False while the norms of other shards are missing.
bool ShardImpl::TryApply(const SyncPolicy::ReadyStep& step, Calls* calls) {
  const double limit = options_.job.optimizer().clip_norm();
  float scale = 1;
  if (limit > 0) {
    const bool begun = norms_.Begun(step.step);
    if (!begun) norms_.SetOwn(step.step, chunks_->MeanNorms(step));
    const std::optional<double> norm = norms_.Norm(step.step);
    if (!norm) {
      if (!begun && options_.norms_wanted) {
        calls->push_back([this, number = step.step] { options_.norms_wanted(number); });
      }
      return false;
    }
    // PyTorch's clip_grad_norm_ has the same small number in it.
    if (*norm > limit) scale = static_cast<float>(limit / (*norm + 1e-6));
  }
  chunks_->ApplyStep(step, scale);
  return true;
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

void ShardImpl::TakeSnapshots(Calls* calls) {
  const auto [begin, end] = snapshots_.equal_range(staged_ ? policy_->clock() : 0);
  for (auto it = begin; it != end; ++it) {
    ShardSnapshot snapshot;
    snapshot.step = policy_->clock();
    snapshot.chunks =
        chunks_->Snapshot(staged_ ? std::optional<Clock>(snapshot.step) : std::nullopt);
    calls->push_back([done = std::move(it->second), snapshot] { done(snapshot); });
  }
  snapshots_.erase(begin, end);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Shard>> Shard::Create(ShardOptions options) {
  SYNCLINE_ASSIGN_OR_RETURN(
      auto chunks,
      ChunkTable::Create({options.job, options.map, options.shard, options.parallel_for,
                          options.seconds, options.forget_pushes_for_test}));
  SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options.job, 0));
  return std::make_unique<ShardImpl>(std::move(options), std::move(policy), std::move(chunks));
}

}  // namespace syncline
