#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/policy/policy_factory.h"
#include "server/shard/shard_impl.h"

namespace syncline {
namespace {

StepCommit ToStepCommit(const CommitRequest& c) {
  return {c.clock(), c.samples(), {c.contributors().begin(), c.contributors().end()}};
}

}  // namespace

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
      worker_states_.Forget({rank, incarnation});
      if (recovery_ && recovery_->awaited.count(rank) > 0) recovery_->hopeless = true;
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
      refused = ShardClosing();
    } else if (staged_ && (policy_->clock() > step || (applying_ && policy_->clock() == step))) {
      refused = absl::FailedPreconditionError(
          absl::StrCat("step ", step, " is past on this shard: ask for a later one"));
    } else if (workers_carry_state_ && staged_ && begun_ > step && LiveWorkers() > 0) {
      refused = absl::FailedPreconditionError(
          absl::StrCat("workers have begun step ", step, ", so what they carry is not as it was "
                       "before it: ask for a later one"));
    } else {
      snapshots_.emplace(staged_ ? step : 0, std::move(done));
    }
  }
  if (!refused.ok()) return done(refused);
  Proceed();
}

// With mu_ held, so that nobody begins the step before it is asked.
uint64_t ShardImpl::AskForWorkerStates() {
  if (!workers_carry_state_) return 0;
  std::set<WorkerStates::Worker> workers;
  for (const auto& [rank, member] : policy_->members().members()) {
    // One that joins at a later step carries nothing yet.
    const bool there = member.state == ClockTable::State::kLive;
    if (there && (!staged_ || member.clock == policy_->clock())) {
      workers.insert({rank, member.incarnation});
    }
  }
  return worker_states_.Ask(policy_->clock(), std::move(workers));
}

std::vector<Rank> ShardImpl::AwaitWorkerStates(absl::Duration patience, ShardSnapshot* snapshot) {
  std::vector<Rank> missing;
  if (snapshot->workers_ticket != 0) {
    snapshot->workers = worker_states_.Take(snapshot->workers_ticket, patience, &missing);
  }
  return missing;
}

absl::Status ShardImpl::KeepWorkerState(const Sender& sender, WorkerState state, bool leaving) {
  if (!workers_carry_state_) {
    return absl::InvalidArgumentError(
        "the workers of this job carry no state: push_codec is neither topk nor onebit, and local_steps "
        "is 1");
  }
  SYNCLINE_RETURN_IF_ERROR(chunks_->CheckFits(state));
  state.rank = sender.rank();
  absl::ReaderMutexLock members(&members_mu_);
  {
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(CheckMember(sender));
  }
  worker_states_.Keep({sender.rank(), sender.incarnation()},
                      std::make_shared<const WorkerState>(std::move(state)), leaving);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const WorkerState>> ShardImpl::FetchWorkerState(
    const Sender& sender) {
  absl::MutexLock lock(&mu_);
  SYNCLINE_RETURN_IF_ERROR(CheckMember(sender));
  return worker_states_.Inherit({sender.rank(), sender.incarnation()});
}

absl::Status ShardImpl::Restore(const StoredShard& stored) {
  SYNCLINE_ASSIGN_OR_RETURN(auto policy, MakePolicy(options_.job, stored.step));
  absl::MutexLock lock(&mu_);
  if (!policy_->members().empty()) {
    return absl::FailedPreconditionError("restore a shard before workers are admitted to it");
  }
  for (const auto& state : stored.workers) {
    SYNCLINE_RETURN_IF_ERROR(chunks_->CheckFits(*state));
  }
  SYNCLINE_RETURN_IF_ERROR(chunks_->Restore(stored));
  for (const auto& state : stored.workers) worker_states_.Restore(state);
  policy_ = std::move(policy);
  return absl::OkStatus();
}

ShardStatusReply ShardImpl::Status() const {
  ShardStatusReply reply;
  chunks_->FillStatus(&reply);
  absl::MutexLock lock(&mu_);
  reply.set_shard(maps_.shard());
  reply.set_map_epoch(maps_.map().epoch());
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
  reply.set_behind(replication_.behind());
  reply.set_recovering(Recovering());
  reply.set_unrecoverable(recovery_ && recovery_->hopeless);
  return reply;
}

void ShardImpl::TakeSnapshots(Calls* calls) {
  const auto [begin, end] = snapshots_.equal_range(staged_ ? policy_->clock() : 0);
  for (auto it = begin; it != end; ++it) {
    ShardSnapshot snapshot;
    snapshot.step = policy_->clock();
    snapshot.chunks = chunks_->Snapshot();
    snapshot.workers_ticket = AskForWorkerStates();
    calls->push_back([done = std::move(it->second), snapshot] { done(snapshot); });
  }
  snapshots_.erase(begin, end);
}

}  // namespace syncline
