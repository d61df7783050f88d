// Workers: how they join, what they are leased, how they leave or are lost.

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"

namespace syncline {

absl::StatusOr<JoinWorkerReply> CoordinatorImpl::JoinWorker(const JoinWorkerRequest& request) {
  absl::MutexLock control(&control_mu_);
  JoinWorkerReply reply;
  Rank rank;
  {
    absl::MutexLock lock(&mu_);
    SYNCLINE_RETURN_IF_ERROR(CheckName(request));
  }
  SYNCLINE_RETURN_IF_ERROR(Replace(request));
  {
    absl::MutexLock lock(&mu_);
    if (draining_ || finished_) {
      return absl::FailedPreconditionError(
          absl::StrCat("job ", job_.name(), " is over: it takes no more workers"));
    }
    if (request.ask_only()) {
      *reply.mutable_job() = job_;
      return reply;
    }
    if (!request.stand_in() && target_workers_ > 0 && members_.LiveProcesses() >= target_workers_) {
      return absl::UnavailableError(absl::StrCat("job ", job_.name(), " has its ", target_workers_,
                                                 " workers: scale it up to take in more"));
    }
    const std::optional<Rank> orphan = Orphan();
    if (request.stand_in() && !orphan) {
      return absl::FailedPreconditionError("no lost worker owes a step: nobody has to stand in");
    }
    rank = members_.Join(request.name(), options_.now(), orphan);
    members_.SetStandIn(rank, request.stand_in());
    if (request.has_team()) members_.SetTeam(rank, request.team());
    members_.SetProcesses(rank, std::max(request.processes(), 1u));
    reply.set_rank(rank);
    reply.set_incarnation(members_.at(rank).incarnation);
    MetadataRecord record;
    record.mutable_joined()->set_rank(rank);
    record.mutable_joined()->set_incarnation(reply.incarnation());
    record.mutable_joined()->set_name(request.name());
    record.mutable_joined()->set_processes(members_.at(rank).processes);
    record.mutable_joined()->set_stand_in(request.stand_in());
    if (request.has_team()) record.mutable_joined()->set_team(request.team());
    const absl::Status kept = Keep(record, true);
    if (!kept.ok()) {
      members_.Remove(rank);
      return kept;
    }
  }
  // If that fails, some shards may know this incarnation: nobody will hear of it, so it is given up in time.
  SYNCLINE_RETURN_IF_ERROR(AdmitAtFirstStep(rank));
  absl::MutexLock lock(&mu_);
  started_ = started_ || members_.LiveProcesses() >= job_.workers();
  *reply.mutable_job() = job_;
  reply.set_lease_ms(absl::ToInt64Milliseconds(options_.member_lease));
  return reply;
}

// Whoever comes in place of one that died, before anybody noticed, must not join as one more: steps would be
// planned with both.
absl::Status CoordinatorImpl::CheckName(const JoinWorkerRequest& request) const {
  if (request.ask_only() || request.stand_in() || request.name().empty()) return absl::OkStatus();
  const std::optional<Rank> named = members_.Named(request.name());
  if (!named || (*named == request.replaces_rank() &&
                 members_.at(*named).incarnation == request.replaces_incarnation())) {
    return absl::OkStatus();
  }
  return absl::UnavailableError(absl::StrCat(
      "worker rank ", *named, " is named ", request.name(), " too: its place is free once it leaves, or has been "
      "silent for ", absl::FormatDuration(options_.member_lease), "; two workers at a time need two names (--name)"));
}

// Gives up whom the one who joins takes the place of: a stand-in, and the worker that it saw die.
absl::Status CoordinatorImpl::Replace(const JoinWorkerRequest& request) {
  if (request.ask_only() || request.stand_in()) return absl::OkStatus();
  std::optional<Rank> stand_in;
  {
    absl::MutexLock lock(&mu_);
    stand_in = members_.StandIn();
  }
  // Whoever made up for a lost worker has its own part to do.
  if (stand_in) SYNCLINE_RETURN_IF_ERROR(RemoveWorker(*stand_in, false));
  std::optional<Rank> leader;
  if (request.has_team()) {
    absl::MutexLock lock(&mu_);
    if (teams_.Leader(request.team()) != request.life()) {
      return absl::AbortedError(absl::StrCat("another process leads team ", request.team(), ", or nobody yet"));
    }
    leader = members_.LeaderOf(request.team());
  }
  if (leader) SYNCLINE_RETURN_IF_ERROR(RemoveWorker(*leader, false));
  if (request.replaces_incarnation() == 0) return absl::OkStatus();
  {
    absl::MutexLock lock(&mu_);
    const absl::Status member =
        members_.Check(request.replaces_rank(), request.replaces_incarnation());
    if (!member.ok()) return absl::OkStatus();
  }
  return RemoveWorker(request.replaces_rank(), false);
}

// Processes of one host make a share too large for one.
std::optional<Rank> CoordinatorImpl::Orphan() const {
  if (leases_ == nullptr || !sync() || job_.on_worker_loss() != REDO ||
      job_.local_aggregation() || draining_) {
    return std::nullopt;
  }
  return leases_->Orphan();
}

// Nothing to do before the shards are configured: CreateTensors admits who is there by then.
absl::Status CoordinatorImpl::AdmitAtFirstStep(Rank rank) {
  const std::shared_ptr<ShardGroup> group = shards();
  if (group == nullptr) return absl::OkStatus();
  Clock clock = first_step_;
  if (!sync()) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
    clock = std::max(clock, steps.first);
  }
  Incarnation incarnation;
  {
    absl::MutexLock lock(&mu_);
    if (sync() && leases_ != nullptr) clock = leases_->FirstStep(rank);
    incarnation = members_.at(rank).incarnation;
    // A step planned with it before every shard knows of it could be made without it on some.
    if (leases_ != nullptr) Hold(true);
  }
  const absl::Status admitted = group->Admit(rank, incarnation, clock);
  absl::MutexLock lock(&mu_);
  if (leases_ == nullptr) return admitted;
  Hold(false);
  if (!admitted.ok()) return admitted;
  LeaseEvent join;
  join.set_call(LeaseEvent::JOIN);
  join.set_rank(rank);
  join.set_number(clock);
  join.set_count(SharesOf(rank));
  return Do(join).status();
}

absl::StatusOr<LeaseReply> CoordinatorImpl::Lease(const LeaseRequest& request) {
  absl::MutexLock lock(&mu_);
  SYNCLINE_RETURN_IF_ERROR(members_.Check(request.rank(), request.incarnation()));
  members_.Touch(request.rank(), options_.now());
  if (request.samples() == 0) {
    return absl::InvalidArgumentError("samples is 0: it must be the size of the training set");
  }
  if (samples_ != 0 && samples_ != request.samples()) {
    return absl::InvalidArgumentError(
        absl::StrCat("samples is ", request.samples(), ", the workers before had ", samples_,
                     ": give every worker the same training data"));
  }
  samples_ = request.samples();
  const uint32_t processes = std::max(request.processes(), 1u);
  const bool as_many = members_.at(request.rank()).processes == processes;
  members_.SetProcesses(request.rank(), processes);
  started_ = started_ || members_.LiveProcesses() >= job_.workers();
  LeaseReply reply;
  if (!map_ || !started_) return reply;
  if (leases_ == nullptr) {
    MetadataRecord record;
    record.mutable_leases_made()->set_samples(samples_);
    SYNCLINE_RETURN_IF_ERROR(Keep(record, true));
    MakeLeases(samples_);
  }
  LeaseEvent event;
  event.set_rank(request.rank());
  if (!as_many) {
    event.set_call(LeaseEvent::SET_PROCESSES);
    event.set_count(SharesOf(request.rank()));
    SYNCLINE_RETURN_IF_ERROR(Do(event).status());
  }
  NoteCommitted(request.rank(), request.committed());
  // A shard may have sent the worker here before all had agreed on the step; it goes on then.
  if (stopped_at_ && request.from_clock() >= *stopped_at_) {
    reply.set_finished(true);
    return reply;
  }
  event.set_call(LeaseEvent::LEASE);
  event.set_number(request.from_clock());
  SYNCLINE_ASSIGN_OR_RETURN(reply, Do(event));
  if (!reply.finished() || members_.at(request.rank()).stand_in) return reply;
  ending_ = true;
  const bool free = !evaluator_ || !members_.at(*evaluator_).live;
  if (free && !test_loss_) evaluator_ = request.rank();
  reply.set_evaluate(evaluator_ == request.rank() && !test_loss_);
  return reply;
}

absl::StatusOr<LeaveWorkerReply> CoordinatorImpl::LeaveWorker(const LeaveWorkerRequest& request) {
  absl::MutexLock control(&control_mu_);
  {
    absl::MutexLock lock(&mu_);
    // Said again, or given up meanwhile: it is gone either way.
    if (!members_.Check(request.rank(), request.incarnation()).ok()) return LeaveWorkerReply();
    const WorkerProgress& progress = request.progress();
    members_.Report(request.rank(), progress);
    if (leases_ != nullptr) NoteCommitted(request.rank(), request.clock());
    if (progress.has_test_accuracy()) test_accuracy_ = progress.test_accuracy();
    if (progress.has_test_auc()) test_auc_ = progress.test_auc();
    if (progress.has_test_loss()) test_loss_ = progress.test_loss();
  }
  SYNCLINE_RETURN_IF_ERROR(RemoveWorker(request.rank(), true));
  return LeaveWorkerReply();
}

absl::Status CoordinatorImpl::RemoveWorker(Rank rank, bool left) {
  const std::shared_ptr<ShardGroup> group = shards();
  Incarnation incarnation;
  {
    absl::MutexLock lock(&mu_);
    incarnation = members_.at(rank).incarnation;
  }
  Clock clock = 0;
  if (group != nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(clock, group->Remove(rank, incarnation, left));
  }
  absl::MutexLock lock(&mu_);
  MetadataRecord record;
  record.mutable_removed()->set_rank(rank);
  *record.mutable_removed()->mutable_progress() = members_.at(rank).progress;
  SYNCLINE_RETURN_IF_ERROR(Keep(record, true));
  members_.Remove(rank);
  if (leases_ == nullptr) return absl::OkStatus();
  LeaseEvent lost;
  lost.set_call(LeaseEvent::LOST);
  lost.set_rank(rank);
  lost.set_number(clock);
  lost.set_flag(left);
  return Do(lost).status();
}

absl::StatusOr<JoinTeamReply> CoordinatorImpl::JoinTeam(const JoinTeamRequest& request) {
  absl::MutexLock lock(&mu_);
  if (!PushesTogether(job_)) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job_.name(),
                     " has no teams: pipeline.stages and tensor_parallel.size are 1, and aggregation is ps"));
  }
  JoinTeamReply reply;
  reply.set_lease_ms(absl::ToInt64Milliseconds(options_.member_lease));
  reply.set_finished(finished_);
  reply.set_elastic(AllReduces(job_));
  reply.set_started(started_);
  heard_ = options_.now();
  const auto place = teams_.Join(request, TeamCount(), options_.now());
  if (!place) return reply;
  reply.set_team(place->team);
  reply.set_place(place->place);
  teams_.Describe(place->team, &reply);
  return reply;
}

}  // namespace syncline
