#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
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
    GiveUpJoiners();
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
    // Whoever has it may wait for a shard that the next tick finds to be lost.
    if (!control_mu_.TryLock()) break;
    RemoveSilent(rank, now - options_.member_lease);
    control_mu_.Unlock();
  }
  if (over) Finish();
}

void CoordinatorImpl::RemoveSilent(Rank rank, absl::Time since) {
  {
    absl::MutexLock lock(&mu_);  // it may have been heard of meanwhile, or have left
    if (!members_.at(rank).live || members_.at(rank).last_seen >= since) return;
  }
  const absl::Status removed = RemoveWorker(rank, false);
  absl::MutexLock lock(&mu_);
  trouble_ = removed.ok() ? "" : absl::StrCat("removing worker rank ", rank, ": ", removed.message());
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
