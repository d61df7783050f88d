#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/rebalance.h"
#include "common/cluster/shard_map.h"
#include "common/optimizer/local_steps.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"

namespace syncline {
namespace {

constexpr uint32_t kMaxMembers = 4096;
// A training cluster goes on meanwhile, so the step of a change lies a little ahead.
constexpr uint64_t kChangeAhead = 2;

// The one at `address` of those registered; null if there is none.
template <typename Shards>
auto Find(Shards& shards, const std::string& address) -> decltype(&shards[0]) {
  for (auto& shard : shards) {
    if (shard.address == address) return &shard;
  }
  return nullptr;
}

}  // namespace

const CoordinatorImpl::Registered* CoordinatorImpl::FindShard(const std::string& address) const {
  return Find(registered_, address);
}

CoordinatorImpl::Registered* CoordinatorImpl::FindShard(const std::string& address) {
  return Find(registered_, address);
}

bool CoordinatorImpl::InMap(const std::string& address) const {
  return map_ && HasShard(*map_, address);
}

bool CoordinatorImpl::Silent(const Registered& shard, absl::Duration silence) const {
  return shard.last_seen < options_.now() - silence;
}

std::vector<std::string> CoordinatorImpl::WantedShards() const {
  std::vector<std::string> wanted;
  const auto stays = [](const Registered& shard) { return !shard.leaving && !shard.retired; };
  for (int i = 0; map_ && i < map_->shards_size(); ++i) {
    const Registered* const shard = FindShard(map_->shards(i));
    if (shard != nullptr && stays(*shard)) wanted.push_back(shard->address);
  }
  // One that registered and is silent since would be waited for.
  for (const Registered& shard : registered_) {
    const bool joins = !InMap(shard.address) && stays(shard) && !Silent(shard, options_.member_lease);
    if (joins) wanted.push_back(shard.address);
  }
  if (target_ > 0 && wanted.size() > target_) wanted.resize(target_);
  return wanted;
}

RebalanceOptions CoordinatorImpl::BalanceBy() const {
  RebalanceOptions options;
  options.keep_tensors_whole = ShardOptimizer(job_).kind() == LAMB;
  return options;
}

std::vector<ShardMap> CoordinatorImpl::MapsToCome() const {
  const std::vector<std::string> wanted = WantedShards();
  if (wanted.empty() || settled_ == std::make_pair(map_->epoch(), wanted)) return {};
  RebalanceOptions options = BalanceBy();
  // By bytes alone chunks would go back to where they were too hot.
  if (rebalance_ == REBALANCE_AUTO) options.full = LoadGoal().full;
  return PlanRebalance(*map_, wanted, options);
}

Rescale CoordinatorImpl::RescaleStatus() const {
  Rescale status;
  if (!ending_ && !draining_) {
    status.set_target(target_);
    status.set_target_workers(target_workers_);
  }
  if (!map_) return status;
  const std::vector<std::string> wanted = WantedShards();
  for (const Registered& shard : registered_) {
    const bool there = !shard.retired && !Silent(shard, ShardLease());
    if (!InMap(shard.address) && there) status.add_spare(shard.address);
  }
  auto maps = MapsToCome();
  if (maps.empty() && !load_maps_.empty() && load_maps_.front().epoch() == map_->epoch() + 1) maps = load_maps_;
  const uint64_t left = maps.empty() ? 0 : MovedBytes(*map_, maps.back());
  status.set_moving(balancing_ || !maps.empty());
  status.set_moved_bytes(moved_bytes_);
  status.set_load_moved_bytes(load_moved_bytes_);
  status.set_total_bytes(moved_bytes_ + left);
  if (!rescale_trouble_.empty()) {
    status.set_waiting_for(rescale_trouble_);
  } else if (target_ > wanted.size()) {
    status.set_waiting_for(absl::StrCat("waiting for shards: ", wanted.size(), " of ", target_,
                                        " have registered; start the others"));
  }
  return status;
}

absl::StatusOr<ScaleReply> CoordinatorImpl::Scale(const ScaleRequest& request) {
  for (const auto& [field, count] : {std::pair{"shards", request.shards()},
                                     std::pair{"workers", request.workers()}}) {
    if (count <= kMaxMembers) continue;
    return absl::InvalidArgumentError(
        absl::StrCat(field, " is ", count, ": it must be from 0 to ", kMaxMembers));
  }
  absl::MutexLock lock(&mu_);
  if (draining_ || finished_) {
    return absl::FailedPreconditionError(absl::StrCat("job ", job_.name(), " is over"));
  }
  if (AllReduces(job_) && request.has_workers()) {
    return absl::InvalidArgumentError("workers: with aggregation allreduce or hierarchical it stays as the job says");
  }
  if (request.workers() % team_size() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("workers is ", request.workers(), ": it must be a multiple of ", team_size(),
                     ", the job's pipeline.stages times tensor_parallel.size"));
  }
  if (request.has_rebalance() && request.rebalance() != REBALANCE_OFF && request.rebalance() != REBALANCE_AUTO) {
    return absl::InvalidArgumentError(absl::StrCat("rebalance is ", request.rebalance(), ": it must be off or auto"));
  }
  MetadataRecord record;
  *record.mutable_scaled() = request;
  SYNCLINE_RETURN_IF_ERROR(Keep(record, true));
  if (request.has_shards()) target_ = request.shards();
  if (request.has_workers()) target_workers_ = request.workers();
  if (request.has_rebalance()) rebalance_ = request.rebalance();
  return ScaleReply();
}

bool CoordinatorImpl::TooMany(Rank rank) const {
  if (target_workers_ == 0) return false;
  if (const auto team = members_.at(rank).team) return *team >= TeamCount();
  // The lowest ranks stay.
  uint64_t before = 0;
  for (const Rank live : members_.Live()) {
    if (live < rank) before += members_.at(live).processes;
  }
  return before >= target_workers_;
}

absl::StatusOr<DrainReply> CoordinatorImpl::DrainShard(const std::string& address) {
  {
    absl::MutexLock lock(&mu_);
    Registered* const shard = FindShard(address);
    if (shard == nullptr) {
      return absl::NotFoundError(absl::StrCat("shard is ", address, ": no such shard registered"));
    }
    shard->leaving = true;
    SYNCLINE_RETURN_IF_ERROR(KeepShards());
  }
  while (!closing_.HasBeenNotified()) {
    {
      absl::MutexLock lock(&mu_);
      Registered* const shard = FindShard(address);
      if (shard == nullptr) return DrainReply();
      if (shard->retired || finished_ || (!InMap(address) && !balancing_)) {
        shard->retired = true;
        return DrainReply();
      }
      if (draining_ || WantedShards().empty()) break;
    }
    closing_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
  return DrainAll();
}

// A change that nobody decided on: the shards let no worker begin its step.
void CoordinatorImpl::TakeBackChange() {
  ShardMap map;
  {
    absl::MutexLock lock(&mu_);
    if (!map_ || pending_ || options_.records.empty()) return;
    map = *map_;
  }
  const auto links = LinksTo(map, map);
  map.set_epoch(map.epoch() + 1);
  if (links.ok()) MapChange(map, *links).Cancel().IgnoreError();
}

void CoordinatorImpl::KeepBalance() {
  TakeBackChange();
  while (!closing_.WaitForNotificationWithTimeout(absl::Milliseconds(50))) {
    absl::Status status;
    do {
      status = RescaleOnce();
    } while (status.ok() && !closing_.HasBeenNotified());
    absl::MutexLock lock(&mu_);
    balancing_ = false;
    rescale_trouble_ = absl::IsNotFound(status) ? "" : std::string(status.message());
  }
}

// One that the coordinator before decided on, it seems: where that could not be kept, it has taken the change back,
// and no shard knows of it. Those that do stay as they are.
absl::Status CoordinatorImpl::PrepareAgain(const MapVersion& pending, MapChange* change) {
  SYNCLINE_RETURN_IF_ERROR(change->Prepare(pending.from_step(), 0));
  if (change->from_step() == pending.from_step()) return absl::OkStatus();
  absl::MutexLock lock(&mu_);
  return DecideOn(change->version());
}

uint32_t CoordinatorImpl::FirstShards() const {
  return target_ > 0 ? std::min(target_, job_.shards()) : job_.shards();
}

// NOT_FOUND if there is nothing to move.
absl::Status CoordinatorImpl::RescaleOnce() {
  ShardMap map, next;
  std::optional<MapVersion> pending;
  uint64_t attempt;
  bool by_load = false;
  {
    absl::MutexLock lock(&mu_);
    pending = pending_;
    attempt = attempt_;
    if (TakingOver() || !LostShards(ShardLease()).empty()) return absl::NotFoundError("a shard is lost");
    if (!map_ || (!pending && (finished_ || draining_))) return absl::NotFoundError("not training");
    map = *map_;
    auto maps = pending ? std::vector<ShardMap>{pending->map()} : MapsToCome();
    if (maps.empty()) {
      settled_ = {map_->epoch(), WantedShards()};
      maps = MapsForLoad();
      by_load = true;
    }
    if (maps.empty()) {
      moved_bytes_ = 0;
      return absl::NotFoundError("in balance");
    }
    next = maps.front();
    balancing_ = true;
  }
  // What is on its way between shards would be in no shard's part of a checkpoint.
  absl::MutexLock one(&checkpoint_mu_);
  SYNCLINE_ASSIGN_OR_RETURN(const auto links, LinksTo(map, next));
  MapChange change(next, links, pending ? pending->from_step() : 0);
  {
    // Nobody joins or leaves until every shard knows.
    absl::MutexLock control(&control_mu_);
    if (Superseded(attempt)) return absl::NotFoundError("the job has begun anew");
    SYNCLINE_RETURN_IF_ERROR(pending ? PrepareAgain(*pending, &change) : BeginChange(map, &change, links));
    SYNCLINE_RETURN_IF_ERROR(ConfirmChange(&change, map, next));
  }
  SYNCLINE_RETURN_IF_ERROR(FinishChange(&change, map, next, attempt));
  if (by_load) NoteLoadMoved(map, next);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<ShardLink>> CoordinatorImpl::LinkTo(const std::string& address) {
  {
    absl::MutexLock lock(&mu_);
    const auto known = links_.find(address);
    if (known != links_.end()) return known->second;
  }
  SYNCLINE_ASSIGN_OR_RETURN(std::shared_ptr<ShardLink> link, options_.connect(address));
  absl::MutexLock lock(&mu_);
  links_[address] = link;
  return link;
}

std::shared_ptr<ShardGroup> CoordinatorImpl::GroupOf(const std::vector<std::string>& addresses) {
  std::vector<std::shared_ptr<ShardLink>> links;
  for (const std::string& address : addresses) links.push_back(links_.at(address));
  return std::make_shared<ShardGroup>(std::move(links));
}

ConfigureRequest CoordinatorImpl::Configuration(const ShardMap& map) const {
  ConfigureRequest configuration;
  *configuration.mutable_job() = job_;
  *configuration.mutable_job()->mutable_optimizer() = ShardOptimizer(job_);
  *configuration.mutable_map() = map;
  absl::MutexLock lock(&mu_);
  configuration.set_attempt(attempt_);
  return configuration;
}

// A shard without a place in `map`, which knows the members as another one does.
absl::Status CoordinatorImpl::ConfigureShard(const std::string& address, const ShardMap& map) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto other, LinkTo(map.shards(0)));
  SYNCLINE_ASSIGN_OR_RETURN(const auto link, LinkTo(address));
  ChangeMapRequest describe;
  describe.set_phase(ChangeMapRequest::DESCRIBE);
  SYNCLINE_ASSIGN_OR_RETURN(const ChangeMapReply members, other->ChangeMap(describe));
  ConfigureRequest configuration = Configuration(map);
  configuration.set_shard(static_cast<uint32_t>(map.shards_size()));
  *configuration.mutable_members() = members.members();
  return link->Configure(configuration).status();
}

absl::StatusOr<MapChange::Links> CoordinatorImpl::LinksTo(const ShardMap& map,
                                                          const ShardMap& next) {
  MapChange::Links links;
  for (const ShardMap* each : {&map, &next}) {
    for (const std::string& address : each->shards()) {
      SYNCLINE_ASSIGN_OR_RETURN(links[address], LinkTo(address));
    }
  }
  return links;
}

absl::Status CoordinatorImpl::BeginChange(const ShardMap& map, MapChange* change, const MapChange::Links& links) {
  absl::Status begun = Prepare(map, change, links);
  if (begun.ok()) begun = DecideWith(links, change->version());
  if (!begun.ok()) change->Cancel().IgnoreError();
  return begun;
}

absl::Status CoordinatorImpl::DecideWith(const MapChange::Links& links, const MapVersion& next) {
  absl::MutexLock lock(&mu_);
  for (const auto& [address, link] : links) {
    const auto known = links_.find(address);
    if (known != links_.end() && known->second == link) continue;
    return absl::UnavailableError(absl::StrCat("shard ", address, " was silent for too long to join"));
  }
  return DecideOn(next);
}

absl::Status CoordinatorImpl::Prepare(const ShardMap& map, MapChange* change,
                                      const MapChange::Links& links) {
  for (const auto& [address, link] : links) {
    if (HasShard(map, address)) continue;
    SYNCLINE_RETURN_IF_ERROR(ConfigureShard(address, map));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
  uint64_t ahead = 0;
  {
    absl::MutexLock lock(&mu_);
    const bool moving = sync() && !members_.Live().empty() && leases_ != nullptr;
    if (moving) ahead = kChangeAhead;
  }
  return change->Prepare(sync() ? steps.second : 0, ahead);
}

absl::Status CoordinatorImpl::ConfirmChange(MapChange* change, const ShardMap& map,
                                            const ShardMap& next) {
  while (true) {
    const absl::Status confirmed = change->Confirm();
    if (confirmed.ok()) break;
    if (closing_.WaitForNotificationWithTimeout(absl::Milliseconds(100))) return confirmed;
    absl::MutexLock lock(&mu_);
    rescale_trouble_ = std::string(confirmed.message());
    if (!LostShards(ShardLease()).empty()) return confirmed;
  }
  std::vector<std::string> all(next.shards().begin(), next.shards().end());
  const std::vector<std::string> leavers = ShardsWithout(map, next);
  all.insert(all.end(), leavers.begin(), leavers.end());
  absl::MutexLock lock(&mu_);
  shards_ = GroupOf(all);
  before_ = map;
  map_ = next;
  return absl::OkStatus();
}

bool CoordinatorImpl::GoesOn(const MapVersion& change, uint64_t attempt) const {
  return attempt == attempt_ && pending_ && pending_->map().epoch() == change.map().epoch();
}

absl::Status CoordinatorImpl::FinishChange(MapChange* change, const ShardMap& map,
                                           const ShardMap& next, uint64_t attempt) {
  const bool made = AwaitChange(change, attempt);
  absl::MutexLock again(&control_mu_);
  absl::MutexLock lock(&mu_);
  if (!GoesOn(change->version(), attempt)) return absl::NotFoundError("a shard was lost meanwhile");
  map_ = made ? next : map;
  shards_ = GroupOf({map_->shards().begin(), map_->shards().end()});
  pending_.reset();
  before_.reset();
  if (!made) return absl::NotFoundError("training ended before the step of the change");
  moved_bytes_ += MovedBytes(map, next);
  const std::vector<std::string> leavers = ShardsWithout(map, next);
  for (const std::string& address : leavers) {
    links_.erase(address);
    if (Registered* const shard = FindShard(address)) shard->retired = true;
  }
  if (!leavers.empty()) SYNCLINE_RETURN_IF_ERROR(KeepShards());
  return KeepMap(next, change->from_step());
}

bool CoordinatorImpl::AwaitChange(MapChange* change, uint64_t attempt) {
  absl::Duration wait = absl::Milliseconds(1);
  while (!closing_.WaitForNotificationWithTimeout(wait)) {
    wait = std::min(2 * wait, absl::Milliseconds(20));
    absl::Status status;
    if (const auto done = change->Done(); !done.ok()) {
      status = done.status();
    } else if (*done) {
      status = change->Finish();
      if (status.ok()) return true;
    }
    absl::MutexLock lock(&mu_);
    if (!GoesOn(change->version(), attempt)) return false;
    rescale_trouble_ = absl::IsUnavailable(status) ? "" : std::string(status.message());
    if (Over() && sync() && !change->reached()) return false;
  }
  return false;
}

}  // namespace syncline
