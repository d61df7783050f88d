
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/shard_map.h"
#include "common/optimizer/local_steps.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "server/coordinator/coordinator_impl.h"
#include "server/coordinator/same_tensors.h"
#include "server/durability/checkpoint_manifest.h"

namespace syncline {
CoordinatorImpl::~CoordinatorImpl() {
  closing_.Notify();
  if (interval_.joinable()) interval_.join();
  if (balance_.joinable()) balance_.join();
}

absl::Status CoordinatorImpl::Start() {
  if (options_.records.empty()) {
    SYNCLINE_RETURN_IF_ERROR(BeginAnew(options_.restore_from));
  } else {
    SYNCLINE_RETURN_IF_ERROR(Recover(options_.records));
  }
  if (job_.checkpoint().interval_steps() > 0 && !job_.checkpoint().directory().empty()) {
    interval_ = std::thread([this] { KeepInterval(); });
  }
  balance_ = std::thread([this] { KeepBalance(); });
  return absl::OkStatus();
}

absl::Status CoordinatorImpl::BeginAnew(const std::string& restore_from) {
  std::optional<CheckpointManifest> restored;
  if (!restore_from.empty()) {
    SYNCLINE_ASSIGN_OR_RETURN(restored, ReadCheckpointManifest(*options_.files, restore_from));
    const Optimizer written = ShardOptimizer(restored->job());
    const Optimizer ours = ShardOptimizer(job_);
    if (written.kind() != ours.kind()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the shards' optimizer is ", OptimizerKind_Name(ours.kind()), ", the checkpoint ",
          restore_from, " was written with ", OptimizerKind_Name(written.kind()),
          ": its state fits no other optimizer (optimizer.kind; local_steps above 1 is NESTEROV)"));
    }
  }
  absl::MutexLock lock(&mu_);
  if (options_.metadata != nullptr) {
    MetadataRecord record;
    record.mutable_started()->set_generation(options_.generation);
    *record.mutable_started()->mutable_job() = job_;
    record.mutable_started()->set_restore_from(restore_from);
    record.mutable_started()->set_attempt(attempt_);
    if (restored) *record.mutable_started()->mutable_restored() = *restored;
    SYNCLINE_RETURN_IF_ERROR(options_.metadata->Begin(record));
  }
  ForgetProgress();
  GoOnFrom(restore_from, std::move(restored));
  return absl::OkStatus();
}

void CoordinatorImpl::GoOnFrom(const std::string& checkpoint, std::optional<CheckpointManifest> manifest) {
  restore_from_ = checkpoint;
  restored_ = std::move(manifest);
  first_step_ = restored_ && sync() ? restored_->step() : 0;
  if (restored_) members_.RestoreIncarnations(restored_->next_incarnation());
}

absl::StatusOr<RegisterShardReply> CoordinatorImpl::RegisterShard(
    const RegisterShardRequest& request) {
  absl::MutexLock lock(&mu_);
  RegisterShardReply reply;
  reply.set_lease_ms(absl::ToInt64Milliseconds(options_.member_lease));
  if (request.address().empty()) {
    return absl::InvalidArgumentError("address is empty: it must be the shard's host:port");
  }
  Registered* shard = FindShard(request.address());
  if (shard == nullptr) shard = &registered_.emplace_back(Registered{request.address()});
  // Another process at the same address has nothing of what the one before held.
  if (shard->life != request.life()) {
    const bool lost = shard->life != 0 && Matters(request.address());
    *shard = {request.address()};
    shard->life = request.life();
    shard->emptied = lost;
  }
  shard->last_seen = options_.now();
  SYNCLINE_RETURN_IF_ERROR(KeepShards());
  reply.set_shard(static_cast<uint32_t>(shard - registered_.data()));
  return reply;
}

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

absl::StatusOr<ShardMap> CoordinatorImpl::PlanMap(absl::Span<const TensorSpec> tensors,
                                                  absl::Span<const std::string> addresses) const {
  uint64_t chunk_bytes = job_.chunk_bytes();
  if (restored_) {
    SYNCLINE_RETURN_IF_ERROR(CheckSameTensors(
        restored_->map(), tensors, absl::StrCat("the checkpoint ", restore_from_)));
    chunk_bytes = restored_->map().chunk_bytes();
  }
  // No epoch is used twice: what is said by a map of an earlier attempt is refused.
  uint64_t epoch;
  {
    absl::MutexLock lock(&mu_);
    epoch = ((attempt_ - 1) << 32) + 1;
  }
  const bool whole = BalanceBy().keep_tensors_whole;
  SYNCLINE_ASSIGN_OR_RETURN(ShardMap map,
                            MakeShardMap(tensors, addresses, chunk_bytes, whole, epoch));
  map.set_replicas(job_.replicas());
  PlaceCopies(whole, &map);
  return map;
}

// A shard that was configured for a map that came to nothing, as another one was lost meanwhile, takes one for
// another map as part of a later attempt only.
absl::Status CoordinatorImpl::NoteConfiguring(const std::vector<std::string>& addresses) {
  if (configuring_ && *configuring_ != addresses) {
    MetadataRecord record;
    record.mutable_started()->set_attempt(attempt_ + 1);
    SYNCLINE_RETURN_IF_ERROR(Keep(record, true));
    ++attempt_;
  }
  configuring_ = addresses;
  return absl::OkStatus();
}

absl::StatusOr<CreateTensorsReply> CoordinatorImpl::CreateTensors(
    const CreateTensorsRequest& request) {
  const std::vector<TensorSpec> tensors(request.tensors().begin(), request.tensors().end());
  absl::MutexLock control(&control_mu_);
  CreateTensorsReply reply;
  std::vector<std::string> addresses;
  {
    absl::MutexLock lock(&mu_);
    if (map_) {
      SYNCLINE_RETURN_IF_ERROR(CheckSameTensors(*map_, tensors, "the running job"));
      *reply.mutable_map() = *map_;
      return reply;
    }
    addresses = WantedShards();
    if (addresses.size() < FirstShards()) return absl::UnavailableError(WaitingFor());
    addresses.resize(FirstShards());
    SYNCLINE_RETURN_IF_ERROR(NoteConfiguring(addresses));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const ShardMap map, PlanMap(tensors, addresses));
  ConfigureRequest configuration = Configuration(map);
  configuration.set_restore_from(restore_from_);
  for (const std::string& address : addresses) SYNCLINE_RETURN_IF_ERROR(LinkTo(address).status());
  std::shared_ptr<ShardGroup> group;
  {
    absl::MutexLock lock(&mu_);
    group = GroupOf(addresses);
  }
  SYNCLINE_RETURN_IF_ERROR(group->Configure(configuration).status());
  std::vector<Rank> live;
  {
    absl::MutexLock lock(&mu_);
    shards_ = group;
    live = members_.Live();
  }
  for (const Rank rank : live) SYNCLINE_RETURN_IF_ERROR(AdmitAtFirstStep(rank));
  absl::MutexLock lock(&mu_);
  SYNCLINE_RETURN_IF_ERROR(KeepMap(map, 0));
  map_ = map;
  settled_ = {map.epoch(), addresses};
  *reply.mutable_map() = *map_;
  return reply;
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

absl::StatusOr<HeartbeatReply> CoordinatorImpl::Heartbeat(const HeartbeatRequest& request) {
  HeartbeatReply reply;
  absl::MutexLock lock(&mu_);
  ExcuseSilence();
  heard_ = options_.now();
  if (request.member_case() != HeartbeatRequest::kRank) return ShardHeartbeat(request);
  // bounded and async have no step to stop at: workers leave where they are.
  reply.set_stopping(stopped_at_.has_value() && !sync());
  const Rank rank = request.rank();
  if (!members_.Check(rank, request.incarnation()).ok()) {
    reply.set_expelled(true);
    return reply;
  }
  if (TooMany(rank)) reply.set_stopping(true);
  // A team cannot be in two places.
  reply.set_stand_in(members_.First() == rank && !PushesTogether(job_) && Orphan().has_value());
  if (map_) reply.set_map_epoch(map_->epoch());
  members_.Touch(rank, options_.now());
  members_.Report(rank, request.progress());
  if (leases_ != nullptr) NoteCommitted(rank, request.progress().clock());
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

absl::StatusOr<std::pair<uint64_t, uint64_t>> CoordinatorImpl::Steps() {
  std::vector<absl::Status> errors;
  const auto replies = shards()->Status(&errors);
  std::pair<uint64_t, uint64_t> steps(~uint64_t{0}, 0);
  for (size_t i = 0; i < replies.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(errors[i]);
    steps.first = std::min(steps.first, replies[i].step());
    steps.second = std::max(steps.second, replies[i].step());
  }
  return steps;
}

ClusterStatusReply::Phase CoordinatorImpl::Phase() const {
  if (finished_) return ClusterStatusReply::FINISHED;
  if (draining_) return ClusterStatusReply::DRAINING;
  return started_ && map_ ? ClusterStatusReply::TRAINING : ClusterStatusReply::WAITING;
}

std::string CoordinatorImpl::WaitingFor() const {
  if (finished_) return "";
  if (!restarted_.empty() && !(map_ && started_)) return restarted_;
  if (!trouble_.empty()) return trouble_;
  const size_t shards = WantedShards().size();
  if (!map_ && shards < FirstShards()) {
    return absl::StrCat("waiting for shards: ", shards, " of ", FirstShards(), " have registered");
  }
  const std::vector<Rank> live = members_.Live();
  if (!started_) {
    return absl::StrCat("waiting for workers: ", members_.LiveProcesses(), " of ", job_.workers(),
                        " have joined");
  }
  if (!map_) return "waiting for a worker to declare the model's tensors";
  if (draining_) return absl::StrCat("waiting for ", live.size(), " workers to leave");
  if (const auto vacant = teams_.Vacant(TeamCount()); vacant && team_size() > 1 && !AllReduces(job_) && !ending_) {
    const uint32_t parts = PartsAStage(job_);
    const std::string part = parts > 1 ? absl::StrCat("part ", vacant->place % parts, " of ") : "";
    return absl::StrCat("waiting for a worker to take ", part, "stage ", vacant->place / parts, " of replica ",
                        vacant->team);
  }
  if (live.empty()) return "waiting for a worker to join";
  return "";
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

absl::StatusOr<ClusterStatusReply> CoordinatorImpl::ClusterStatus() {
  ClusterStatusReply reply;
  std::vector<absl::Status> errors;
  std::vector<std::string> waiting;
  if (const auto group = shards()) {
    uint64_t lowest = ~uint64_t{0};
    for (ShardStatusReply& shard : group->Status(&errors)) {
      lowest = std::min(lowest, shard.step());
      if (!shard.recovering().empty()) waiting.push_back(shard.recovering());
      *reply.add_shards() = std::move(shard);
    }
    reply.set_step(lowest);
  }
  absl::MutexLock lock(&mu_);
  reply.set_phase(Phase());
  if (std::string reason = WaitingFor(); !reason.empty()) {
    const absl::Duration since = absl::Floor(options_.now() - waiting_.second, absl::Seconds(1));
    if (reason == waiting_.first && since > absl::ZeroDuration()) {
      absl::StrAppend(&reason, " (for ", absl::FormatDuration(since), ")");
    }
    waiting.push_back(std::move(reason));
  }
  for (const absl::Status& error : errors) {
    if (!error.ok()) waiting.push_back(std::string(error.message()));
  }
  reply.set_waiting_for(absl::StrJoin(waiting, "; "));
  *reply.mutable_job() = job_;
  reply.mutable_job()->set_rebalance(rebalance_);
  if (map_) *reply.mutable_map() = *map_;
  FillLoad(&reply);
  for (const auto& [rank, member] : members_.members()) {
    WorkerStatus* worker = reply.add_workers();
    worker->set_rank(rank);
    worker->set_incarnation(member.incarnation);
    worker->set_name(member.stand_in ? absl::StrCat(member.name, ", standing in") : member.name);
    worker->set_live(member.live);
    worker->set_processes(member.processes);
    *worker->mutable_progress() = member.progress;
  }
  if (leases_ != nullptr) reply.set_epoch(leases_->Epoch());
  if (leases_ != nullptr && job_.backup_workers() == 0) reply.set_samples_total(leases_->trained());
  reply.set_samples_per_second(curve_.samples_per_second());
  for (const LossPoint& point : curve_.points()) *reply.add_loss_curve() = point;
  if (test_accuracy_) reply.set_test_accuracy(*test_accuracy_);
  if (test_auc_) reply.set_test_auc(*test_auc_);
  if (test_loss_) reply.set_test_loss(*test_loss_);
  reply.set_last_checkpoint(last_checkpoint_);
  reply.set_checkpoint_written_bytes(checkpoint_bytes_.first);
  reply.set_checkpoint_linked_bytes(checkpoint_bytes_.second);
  for (TeamStatus& team : teams_.Status()) *reply.add_teams() = std::move(team);
  *reply.mutable_rescale() = RescaleStatus();
  return reply;
}

bool CoordinatorImpl::Over() const {
  return members_.Live().empty() && (stopped_at_ || (leases_ != nullptr && leases_->Finished()));
}

// A coordinator that was frozen or cut off from everybody has not heard of anybody, and that says nothing of them:
// their silence is counted anew.
void CoordinatorImpl::ExcuseSilence() {
  const absl::Time now = options_.now();
  if (heard_ >= now - options_.member_lease / 2) return;
  for (Registered& shard : registered_) shard.last_seen = std::max(shard.last_seen, now);
  members_.TouchAll(now);
  teams_.TouchAll(now);
}

void CoordinatorImpl::Tick() {
  const absl::Time now = options_.now();
  {
    absl::MutexLock lock(&mu_);
    ExcuseSilence();
    teams_.RemoveSilent(now - options_.member_lease);
    if (map_) loads_.Advance(*map_, now);
    if (std::string reason = WaitingFor(); reason != waiting_.first) waiting_ = {std::move(reason), now};
  }
  if (HandleLostShards()) return;
  std::vector<Rank> lost;
  bool over;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    // A shard that may be lost would be waited for, and then no worker of this attempt counts any more.
    if (LostShards(options_.member_lease).empty()) {
      lost = members_.SilentSince(now - options_.member_lease);
    }
    over = Over();
    curve_.Add(now, members_.trained(), leases_ == nullptr ? 0 : leases_->Epoch(), over);
  }
  for (const Rank rank : lost) {
    absl::MutexLock control(&control_mu_);
    {
      absl::MutexLock lock(&mu_);  // it may have been heard of meanwhile, or have left
      if (!members_.at(rank).live || members_.at(rank).last_seen >= now - options_.member_lease) {
        continue;
      }
    }
    const absl::Status removed = RemoveWorker(rank, false);
    absl::MutexLock lock(&mu_);
    trouble_ = removed.ok() ? "" : absl::StrCat("removing worker rank ", rank, ": ",
                                                removed.message());
  }
  if (over) Finish();
}

bool CoordinatorImpl::finished() const {
  absl::MutexLock lock(&mu_);
  return finished_;
}

absl::StatusOr<std::unique_ptr<CoordinatorCore>> CoordinatorCore::Create(Options options) {
  if (!options.now) options.now = [] { return SteadyNow(); };
  auto coordinator = std::make_unique<CoordinatorImpl>(std::move(options));
  SYNCLINE_RETURN_IF_ERROR(coordinator->Start());
  return coordinator;
}

}  // namespace syncline
