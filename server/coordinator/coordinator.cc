#include "server/coordinator/coordinator.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/optimizer/local_steps.h"
#include "common/status/status_macros.h"
#include "google/protobuf/util/message_differencer.h"
#include "server/coordinator/data_leases.h"
#include "server/coordinator/loss_curve.h"
#include "server/coordinator/member_table.h"
#include "server/coordinator/shard_group.h"
#include "server/durability/checkpoint_reader.h"
#include "server/durability/checkpoint_writer.h"

namespace syncline {
namespace {

using google::protobuf::util::MessageDifferencer;

// An interval checkpoint is asked of the shards this many steps ahead; the leases reach further.
constexpr uint64_t kCheckpointAhead = 32;
// How often a checkpoint on demand is asked for when the shards were past its step.
constexpr int kCheckpointTries = 250;

// The restored tensors must be those of the model, cut the same way.
absl::Status CheckSameTensors(const ShardMap& have, absl::Span<const TensorSpec> want,
                              const std::string& where) {
  if (have.tensors_size() != static_cast<int>(want.size())) {
    return absl::FailedPreconditionError(absl::StrCat("the model has ", want.size(), " tensors, ",
                                                      where, " ", have.tensors_size()));
  }
  for (int i = 0; i < have.tensors_size(); ++i) {
    if (MessageDifferencer::Equals(have.tensors(i), want[i])) continue;
    return absl::FailedPreconditionError(
        absl::StrCat("tensor ", want[i].name(), " is not the one ", where, " has (",
                     have.tensors(i).name(), "): its name, shape or initializer differs"));
  }
  return absl::OkStatus();
}

class CoordinatorImpl final : public CoordinatorCore {
 public:
  explicit CoordinatorImpl(Options options) : options_(std::move(options)), job_(options_.job) {}
  ~CoordinatorImpl() override;
  absl::Status Start();

  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request) override;
  absl::StatusOr<JoinWorkerReply> JoinWorker(const JoinWorkerRequest& request) override;
  absl::StatusOr<CreateTensorsReply> CreateTensors(const CreateTensorsRequest& request) override;
  absl::StatusOr<LeaseReply> Lease(const LeaseRequest& request) override;
  absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest& request) override;
  absl::StatusOr<LeaveWorkerReply> LeaveWorker(const LeaveWorkerRequest& request) override;
  absl::StatusOr<ClusterStatusReply> ClusterStatus() override;
  absl::StatusOr<CheckpointReply> Checkpoint() override;
  absl::StatusOr<DrainReply> Drain() override;
  void Tick() override;
  bool finished() const override;

 private:
  bool sync() const { return job_.sync_mode() == SYNC; }
  absl::Status Replace(const JoinWorkerRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::Status AdmitAtFirstStep(Rank rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::Status RemoveWorker(Rank rank, bool left) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::StatusOr<ShardMap> PlanMap(absl::Span<const TensorSpec> tensors,
                                   absl::Span<const std::string> addresses) const;
  // The lowest and the highest step of all shards.
  absl::StatusOr<std::pair<uint64_t, uint64_t>> Steps();
  absl::StatusOr<CheckpointReply> CheckpointAt(uint64_t step) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::string> FinalCheckpoint();
  void Finish();
  void KeepInterval();
  std::string WaitingFor() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ClusterStatusReply::Phase Phase() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::shared_ptr<ShardGroup> shards() const {
    absl::MutexLock lock(&mu_);
    return shards_;
  }

  const Options options_;
  const JobManifest job_;
  std::optional<CheckpointManifest> restored_;  // set by Start
  uint64_t first_step_ = 0;                     // likewise

  // One sequence of calls to the shards at a time: they hear of members in one order. Before mu_.
  absl::Mutex control_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  // One checkpoint at a time. Before mu_; never taken inside control_mu_.
  absl::Mutex checkpoint_mu_;

  mutable absl::Mutex mu_;
  std::vector<std::string> addresses_ ABSL_GUARDED_BY(mu_);  // of shards, by number
  std::optional<ShardMap> map_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<ShardGroup> shards_ ABSL_GUARDED_BY(mu_);  // once they are configured
  MemberTable members_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<DataLeases> leases_ ABSL_GUARDED_BY(mu_);
  uint64_t samples_ ABSL_GUARDED_BY(mu_) = 0;
  bool started_ ABSL_GUARDED_BY(mu_) = false;  // all expected workers were there
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  // Draining, and the shards know where: at this step (sync; 0 otherwise).
  std::optional<uint64_t> stopped_at_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<Rank> evaluator_ ABSL_GUARDED_BY(mu_);
  std::optional<double> test_accuracy_ ABSL_GUARDED_BY(mu_);
  std::optional<double> test_loss_ ABSL_GUARDED_BY(mu_);
  LossCurve curve_ ABSL_GUARDED_BY(mu_);
  std::string last_checkpoint_ ABSL_GUARDED_BY(mu_);
  std::string trouble_ ABSL_GUARDED_BY(mu_);  // why the last thing due could not be done

  absl::Notification closing_;
  std::thread interval_;
};

CoordinatorImpl::~CoordinatorImpl() {
  closing_.Notify();
  if (interval_.joinable()) interval_.join();
}

absl::Status CoordinatorImpl::Start() {
  if (!options_.restore_from.empty()) {
    SYNCLINE_ASSIGN_OR_RETURN(restored_,
                              ReadCheckpointManifest(*options_.files, options_.restore_from));
    const Optimizer written = ShardOptimizer(restored_->job());
    const Optimizer ours = ShardOptimizer(job_);
    if (written.kind() != ours.kind()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the shards' optimizer is ", OptimizerKind_Name(ours.kind()), ", the checkpoint ",
          options_.restore_from, " was written with ", OptimizerKind_Name(written.kind()),
          ": its state fits no other optimizer (optimizer.kind; local_steps above 1 is NESTEROV)"));
    }
    first_step_ = sync() ? restored_->step() : 0;
    absl::MutexLock lock(&mu_);
    members_.RestoreIncarnations(restored_->next_incarnation());
  }
  if (job_.checkpoint().interval_steps() > 0 && !job_.checkpoint().directory().empty()) {
    interval_ = std::thread([this] { KeepInterval(); });
  }
  return absl::OkStatus();
}

absl::StatusOr<RegisterShardReply> CoordinatorImpl::RegisterShard(
    const RegisterShardRequest& request) {
  absl::MutexLock lock(&mu_);
  RegisterShardReply reply;
  reply.set_lease_ms(absl::ToInt64Milliseconds(options_.member_lease));
  const auto known = std::find(addresses_.begin(), addresses_.end(), request.address());
  reply.set_shard(static_cast<uint32_t>(known - addresses_.begin()));
  if (known != addresses_.end()) return reply;
  if (request.address().empty()) {
    return absl::InvalidArgumentError("address is empty: it must be the shard's host:port");
  }
  if (addresses_.size() >= job_.shards()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the job has its ", job_.shards(),
                     " shards already: raise `shards` in the manifest and start the job again"));
  }
  addresses_.push_back(request.address());
  return reply;
}

absl::StatusOr<JoinWorkerReply> CoordinatorImpl::JoinWorker(const JoinWorkerRequest& request) {
  absl::MutexLock control(&control_mu_);
  JoinWorkerReply reply;
  Rank rank;
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
    rank = members_.Join(request.name(), options_.now());
    members_.SetProcesses(rank, std::max(request.processes(), 1u));
    reply.set_rank(rank);
    reply.set_incarnation(members_.at(rank).incarnation);
  }
  const absl::Status admitted = AdmitAtFirstStep(rank);
  absl::MutexLock lock(&mu_);
  if (!admitted.ok()) {
    members_.Remove(rank);
    return admitted;
  }
  started_ = started_ || members_.LiveProcesses() >= job_.workers();
  *reply.mutable_job() = job_;
  reply.set_lease_ms(absl::ToInt64Milliseconds(options_.member_lease));
  return reply;
}

// Gives up the worker that the one who joins saw die, if it is still a member.
absl::Status CoordinatorImpl::Replace(const JoinWorkerRequest& request) {
  if (request.ask_only() || request.replaces_incarnation() == 0) return absl::OkStatus();
  {
    absl::MutexLock lock(&mu_);
    const absl::Status member =
        members_.Check(request.replaces_rank(), request.replaces_incarnation());
    if (!member.ok()) return absl::OkStatus();
  }
  return RemoveWorker(request.replaces_rank(), false);
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
    if (leases_ != nullptr) leases_->Hold(true);
  }
  const absl::Status admitted = group->Admit(rank, incarnation, clock);
  absl::MutexLock lock(&mu_);
  if (leases_ == nullptr) return admitted;
  leases_->Hold(false);
  if (admitted.ok()) leases_->Join(rank, clock, members_.at(rank).processes);
  return admitted;
}

absl::StatusOr<ShardMap> CoordinatorImpl::PlanMap(absl::Span<const TensorSpec> tensors,
                                                  absl::Span<const std::string> addresses) const {
  uint64_t chunk_bytes = job_.chunk_bytes();
  if (restored_) {
    SYNCLINE_RETURN_IF_ERROR(CheckSameTensors(
        restored_->map(), tensors, absl::StrCat("the checkpoint ", options_.restore_from)));
    chunk_bytes = restored_->map().chunk_bytes();
  }
  return MakeShardMap(tensors, addresses, chunk_bytes, ShardOptimizer(job_).kind() == LAMB);
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
    if (addresses_.size() < job_.shards()) return absl::UnavailableError(WaitingFor());
    addresses = addresses_;
  }
  ConfigureRequest configuration;
  *configuration.mutable_job() = job_;
  *configuration.mutable_job()->mutable_optimizer() = ShardOptimizer(job_);
  SYNCLINE_ASSIGN_OR_RETURN(*configuration.mutable_map(), PlanMap(tensors, addresses));
  configuration.set_restore_from(options_.restore_from);
  std::vector<std::shared_ptr<ShardLink>> links;
  for (const std::string& address : addresses) {
    SYNCLINE_ASSIGN_OR_RETURN(auto link, options_.connect(address));
    links.push_back(std::move(link));
  }
  const auto group = std::make_shared<ShardGroup>(std::move(links));
  SYNCLINE_RETURN_IF_ERROR(group->Configure(configuration).status());
  std::vector<Rank> live;
  {
    absl::MutexLock lock(&mu_);
    shards_ = group;
    live = members_.Live();
  }
  for (const Rank rank : live) SYNCLINE_RETURN_IF_ERROR(AdmitAtFirstStep(rank));
  absl::MutexLock lock(&mu_);
  map_ = configuration.map();
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
  members_.SetProcesses(request.rank(), std::max(request.processes(), 1u));
  started_ = started_ || members_.LiveProcesses() >= job_.workers();
  LeaseReply reply;
  if (!map_ || !started_) return reply;
  if (leases_ == nullptr) {
    DataLeases::Options options;
    options.mode = job_.sync_mode();
    options.on_loss = job_.on_worker_loss();
    options.samples = samples_;
    options.batch_size = SamplesPerExchange(job_);
    options.epochs = job_.epochs();
    options.max_steps = job_.max_steps();
    options.horizon = options_.lease_steps;
    leases_ = std::make_unique<DataLeases>(options);
    if (restored_) leases_->Restore(*restored_);
    for (const Rank rank : members_.Live()) {
      leases_->Join(rank, first_step_, members_.at(rank).processes);
    }
  }
  leases_->SetProcesses(request.rank(), members_.at(request.rank()).processes);
  leases_->Committed(request.rank(), request.committed());
  // A shard may have sent the worker here before all had agreed on the step; it goes on then.
  if (stopped_at_ && request.from_clock() >= *stopped_at_) {
    reply.set_finished(true);
    return reply;
  }
  reply = leases_->Lease(request.rank(), request.from_clock());
  if (!reply.finished()) return reply;
  const bool free = !evaluator_ || !members_.at(*evaluator_).live;
  if (free && !test_loss_) evaluator_ = request.rank();
  reply.set_evaluate(evaluator_ == request.rank() && !test_loss_);
  return reply;
}

absl::StatusOr<HeartbeatReply> CoordinatorImpl::Heartbeat(const HeartbeatRequest& request) {
  HeartbeatReply reply;
  absl::MutexLock lock(&mu_);
  // bounded and async have no step to stop at: workers leave where they are.
  reply.set_stopping(stopped_at_.has_value() && !sync());
  if (request.member_case() != HeartbeatRequest::kRank) return reply;
  const Rank rank = request.rank();
  if (!members_.Check(rank, request.incarnation()).ok()) {
    reply.set_expelled(true);
    return reply;
  }
  members_.Touch(rank, options_.now());
  members_.Report(rank, request.progress());
  if (leases_ != nullptr) leases_->Committed(rank, request.progress().clock());
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
    if (leases_ != nullptr) leases_->Committed(request.rank(), request.clock());
    if (progress.has_test_accuracy()) test_accuracy_ = progress.test_accuracy();
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
  members_.Remove(rank);
  if (leases_ != nullptr) leases_->Lost(rank, clock, left);
  return absl::OkStatus();
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
  if (!trouble_.empty()) return trouble_;
  if (addresses_.size() < job_.shards()) {
    return absl::StrCat("waiting for shards: ", addresses_.size(), " of ", job_.shards(),
                        " have registered");
  }
  const std::vector<Rank> live = members_.Live();
  if (!started_) {
    return absl::StrCat("waiting for workers: ", members_.LiveProcesses(), " of ", job_.workers(),
                        " have joined");
  }
  if (!map_) return "waiting for a worker to declare the model's tensors";
  if (draining_) return absl::StrCat("waiting for ", live.size(), " workers to leave");
  if (live.empty()) return "waiting for a worker to join";
  return "";
}

absl::StatusOr<ClusterStatusReply> CoordinatorImpl::ClusterStatus() {
  ClusterStatusReply reply;
  std::vector<absl::Status> errors;
  if (const auto group = shards()) {
    uint64_t lowest = ~uint64_t{0};
    for (ShardStatusReply& shard : group->Status(&errors)) {
      lowest = std::min(lowest, shard.step());
      *reply.add_shards() = std::move(shard);
    }
    reply.set_step(lowest);
  }
  absl::MutexLock lock(&mu_);
  reply.set_phase(Phase());
  std::vector<std::string> waiting;
  if (std::string reason = WaitingFor(); !reason.empty()) waiting.push_back(std::move(reason));
  for (const absl::Status& error : errors) {
    if (!error.ok()) waiting.push_back(std::string(error.message()));
  }
  reply.set_waiting_for(absl::StrJoin(waiting, "; "));
  *reply.mutable_job() = job_;
  if (map_) *reply.mutable_map() = *map_;
  for (const auto& [rank, member] : members_.members()) {
    WorkerStatus* worker = reply.add_workers();
    worker->set_rank(rank);
    worker->set_incarnation(member.incarnation);
    worker->set_name(member.name);
    worker->set_live(member.live);
    worker->set_processes(member.processes);
    *worker->mutable_progress() = member.progress;
  }
  if (leases_ != nullptr) reply.set_epoch(leases_->Epoch());
  reply.set_samples_total(members_.samples());
  reply.set_samples_per_second(curve_.samples_per_second());
  for (const LossPoint& point : curve_.points()) *reply.add_loss_curve() = point;
  if (test_accuracy_) reply.set_test_accuracy(*test_accuracy_);
  if (test_loss_) reply.set_test_loss(*test_loss_);
  reply.set_last_checkpoint(last_checkpoint_);
  return reply;
}

absl::StatusOr<CheckpointReply> CoordinatorImpl::CheckpointAt(uint64_t step) {
  const std::shared_ptr<ShardGroup> group = shards();
  CheckpointManifest manifest;
  {
    absl::MutexLock lock(&mu_);
    manifest.set_format(1);
    *manifest.mutable_job() = job_;
    *manifest.mutable_map() = *map_;
    if (leases_ != nullptr && sync()) leases_->Pin(step);
  }
  const std::string& directory = job_.checkpoint().directory();
  SYNCLINE_RETURN_IF_ERROR(BeginCheckpoint(*options_.files, directory, step));
  auto written = group->WriteCheckpoint(PartialCheckpointFolder(directory, step), step);
  {
    absl::MutexLock lock(&mu_);
    if (leases_ != nullptr) {
      if (written.ok()) leases_->Save(step, &manifest);
      leases_->Unpin();
    } else if (restored_) {
      manifest.set_next_epoch(restored_->next_epoch());
      *manifest.mutable_remaining() = restored_->remaining();
    }
    const std::vector<uint64_t> next = members_.NextIncarnations();
    manifest.mutable_next_incarnation()->Assign(next.begin(), next.end());
  }
  if (!written.ok()) {
    options_.files->RemoveFolder(PartialCheckpointFolder(directory, step)).IgnoreError();
    return written.status();
  }
  manifest.set_step(step);
  *manifest.mutable_files() = written->files();
  CheckpointReply reply;
  SYNCLINE_ASSIGN_OR_RETURN(*reply.mutable_directory(),
                            CommitCheckpoint(*options_.files, directory, manifest,
                                             job_.checkpoint().keep()));
  reply.set_step(step);
  absl::MutexLock lock(&mu_);
  last_checkpoint_ = reply.directory();
  return reply;
}

absl::StatusOr<CheckpointReply> CoordinatorImpl::Checkpoint() {
  if (job_.checkpoint().directory().empty()) {
    return absl::FailedPreconditionError(
        "checkpoint.directory is not set: give it in the manifest or as --checkpoint_directory");
  }
  {
    absl::MutexLock lock(&mu_);
    if (!map_) return absl::UnavailableError(WaitingFor());
    if (finished_) {
      CheckpointReply reply;
      reply.set_directory(last_checkpoint_);
      return reply;
    }
  }
  absl::MutexLock one(&checkpoint_mu_);
  // A training cluster goes on meanwhile, so the step asked for lies ahead; further if it was past. With no
  // step ahead the shards may be between two: they are asked again.
  uint64_t margin = 2;
  for (int tries = 0;; ++tries) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
    uint64_t step = steps.second;
    bool moving;
    {
      absl::MutexLock lock(&mu_);
      moving = sync() && !members_.Live().empty() && leases_ != nullptr && !stopped_at_ &&
               steps.second + margin < leases_->planned();
    }
    if (moving) step += margin;
    auto reply = CheckpointAt(step);
    const bool again = absl::IsFailedPrecondition(reply.status()) && tries < kCheckpointTries;
    if (!again || closing_.HasBeenNotified()) return reply;
    margin = moving ? 2 * margin : 2;
    if (!moving) closing_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
}

// Takes the checkpoints of the interval, each asked for a little ahead of its step.
void CoordinatorImpl::KeepInterval() {
  const uint64_t interval = job_.checkpoint().interval_steps();
  uint64_t next = (first_step_ / interval + 1) * interval;
  while (!closing_.WaitForNotificationWithTimeout(absl::Milliseconds(50))) {
    if (shards() == nullptr) continue;
    const auto steps = Steps();
    if (!steps.ok()) continue;
    const uint64_t at = sync() ? std::max(next, steps->second + 2) : steps->first;
    {
      absl::MutexLock lock(&mu_);
      if (draining_ || finished_) return;
      // Near the end of the job the step may never come; the last checkpoint is taken anyway.
      if (leases_ == nullptr || (sync() && at >= leases_->planned())) continue;
    }
    if (steps->second + (sync() ? kCheckpointAhead : 0) < next) continue;
    {
      absl::MutexLock one(&checkpoint_mu_);
      const auto taken = CheckpointAt(at);
      absl::MutexLock lock(&mu_);
      trouble_ = taken.ok() || absl::IsFailedPrecondition(taken.status())
                     ? ""
                     : absl::StrCat("the checkpoint of step ", next, " failed: ",
                                    taken.status().message());
    }
    next = (std::max(next, steps->second) / interval + 1) * interval;
  }
}

absl::StatusOr<std::string> CoordinatorImpl::FinalCheckpoint() {
  if (job_.checkpoint().directory().empty() || shards() == nullptr) return std::string();
  absl::MutexLock one(&checkpoint_mu_);
  SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
  SYNCLINE_ASSIGN_OR_RETURN(const auto reply, CheckpointAt(steps.second));
  return reply.directory();
}

// All is trained, or drained, and everybody has left.
void CoordinatorImpl::Finish() {
  const auto written = FinalCheckpoint();
  absl::MutexLock lock(&mu_);
  if (written.ok()) {
    finished_ = true;
  } else {
    trouble_ = absl::StrCat("the last checkpoint failed, trying again: ",
                            written.status().message());
  }
}

absl::StatusOr<DrainReply> CoordinatorImpl::Drain() {
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    if (finished_) {  // the shards may have gone already
      DrainReply reply;
      reply.set_checkpoint(last_checkpoint_);
      return reply;
    }
  }
  uint64_t stop_at = 0;
  if (const auto group = shards()) {
    absl::MutexLock control(&control_mu_);
    SYNCLINE_ASSIGN_OR_RETURN(const uint64_t step, group->Stop());
    if (sync()) stop_at = step;
  }
  const absl::Time begun = options_.now();
  while (!closing_.HasBeenNotified()) {
    std::vector<Rank> live;
    {
      absl::MutexLock lock(&mu_);
      stopped_at_ = stop_at;
      if (finished_) {
        DrainReply reply;
        reply.set_checkpoint(last_checkpoint_);
        return reply;
      }
      live = members_.Live();
    }
    // Whoever waits for a worker that will not come is let go without it.
    if (options_.now() - begun > 2 * options_.member_lease) {
      absl::MutexLock control(&control_mu_);
      for (const Rank rank : live) SYNCLINE_RETURN_IF_ERROR(RemoveWorker(rank, true));
    }
    closing_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
  return absl::CancelledError("the coordinator is closing");
}

void CoordinatorImpl::Tick() {
  const absl::Time now = options_.now();
  std::vector<Rank> lost;
  bool over;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return;
    lost = members_.SilentSince(now - options_.member_lease);
    curve_.Add(now, members_.samples(), members_.loss_sum(),
               leases_ == nullptr ? 0 : leases_->Epoch());
    over = members_.Live().empty() &&
           (stopped_at_ || (leases_ != nullptr && leases_->Finished()));
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

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorCore>> CoordinatorCore::Create(Options options) {
  if (!options.now) options.now = [] { return absl::Now(); };
  auto coordinator = std::make_unique<CoordinatorImpl>(std::move(options));
  SYNCLINE_RETURN_IF_ERROR(coordinator->Start());
  return coordinator;
}

}  // namespace syncline
