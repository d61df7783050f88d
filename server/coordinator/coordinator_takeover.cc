#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/map_after_loss.h"
#include "common/cluster/shard_map.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"
#include "spdlog/spdlog.h"

namespace syncline {

std::vector<std::string> CoordinatorImpl::LostShards(absl::Duration silence) const {
  std::vector<std::string> lost;
  for (const Registered& shard : registered_) {
    const bool gone = shard.emptied || shard.given_up || Silent(shard, silence);
    if (gone && Matters(shard.address)) lost.push_back(shard.address);
  }
  return lost;
}

// One that joins or leaves has chunks that are on their way.
bool CoordinatorImpl::Matters(const std::string& address) const {
  return InMap(address) || (pending_ && HasShard(pending_->map(), address)) ||
         (before_ && HasShard(*before_, address));
}

bool CoordinatorImpl::TakingOver() const { return pending_ && pending_->take_over(); }

void CoordinatorImpl::GiveUpJoiners() {
  if (!map_) return;
  for (const Registered& shard : registered_) {
    const auto link = links_.find(shard.address);
    if (link == links_.end() || Matters(shard.address) || !Silent(shard, options_.member_lease)) continue;
    link->second->GiveUp();
    links_.erase(link);
  }
}

bool CoordinatorImpl::HandleLostShards() {
  std::vector<std::string> lost;
  bool decided;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return false;
    lost = LostShards(ShardLease());
    decided = TakingOver();  // by the coordinator before this one, or in vain so far
  }
  // Too much is at stake for silence alone: what has dropped the heartbeats may let questions through.
  if (lost.size() > 1 || job_.replicas() <= 1) lost = WithoutAnswering(std::move(lost));
  std::string why;
  if (decided || !lost.empty()) {
    const absl::Status taken_over = TakeOver(lost);
    if (taken_over.ok()) return true;
    // Another shard is away, and lost before long or back; or hears another call first.
    if (IsTransient(taken_over) || absl::IsAborted(taken_over)) {
      absl::MutexLock lock(&mu_);
      trouble_ = absl::StrCat("shard ", absl::StrJoin(lost, ", "), " is lost: ", taken_over.message());
      return true;
    }
    why = absl::StrCat("shard ", absl::StrJoin(lost, ", "), " is lost");
    if (job_.replicas() > 1) absl::StrAppend(&why, " and with it copies (", taken_over.message(), ")");
  } else if (Unrecoverable()) {
    why = "a shard is lost and with it what a worker had pushed that is gone too";
  } else {
    return false;
  }
  const absl::Status restarted = RestartJob(why);
  absl::MutexLock lock(&mu_);
  trouble_ = std::string(restarted.message());
  return true;
}

std::vector<std::string> CoordinatorImpl::WithoutAnswering(std::vector<std::string> lost) {
  std::vector<std::string> silent;
  std::vector<std::shared_ptr<ShardLink>> links;
  {
    absl::MutexLock lock(&mu_);
    for (const std::string& address : lost) {
      const Registered& shard = *FindShard(address);
      const auto link = links_.find(address);
      if (shard.emptied || shard.given_up || link == links_.end()) continue;
      silent.push_back(address);
      links.push_back(link->second);
    }
  }
  std::vector<absl::Status> errors;
  ShardGroup(std::move(links)).Status(&errors);
  absl::MutexLock lock(&mu_);
  for (size_t i = 0; i < silent.size(); ++i) {
    Registered* const shard = FindShard(silent[i]);
    if (!errors[i].ok() || shard == nullptr || shard->emptied) continue;
    shard->last_seen = options_.now();
    lost.erase(std::find(lost.begin(), lost.end(), silent[i]));
  }
  return lost;
}

absl::Status CoordinatorImpl::TakeOver(const std::vector<std::string>& lost) {
  if (job_.replicas() <= 1) return absl::FailedPreconditionError("replicas is 1");
  {
    // Nobody waits for an answer of theirs any more, nor are they told that they are counted on.
    absl::MutexLock lock(&mu_);
    for (const std::string& address : lost) {
      const Registered& shard = *FindShard(address);
      if (shard.given_up || shard.emptied || Silent(shard, ShardLease())) continue;
      return absl::OkStatus();  // it was heard of meanwhile
    }
    for (const std::string& address : lost) {
      const auto link = links_.find(address);
      if (link != links_.end()) link->second->GiveUp();
      FindShard(address)->given_up = true;
    }
  }
  absl::MutexLock control(&control_mu_);
  bool decided;
  {
    absl::MutexLock lock(&mu_);
    if (!map_) return absl::FailedPreconditionError("the shards have no map yet");
    decided = TakingOver();
    for (const std::string& address : lost) decided = decided && !HasShard(pending_->map(), address);
  }
  if (!decided) SYNCLINE_RETURN_IF_ERROR(DecideWithout(lost));
  return GoThroughTakeOver();
}

// A change that is under way is brought to where every shard that is left knows of it, and no further.
absl::Status CoordinatorImpl::DecideWithout(const std::vector<std::string>& lost) {
  ShardMap before;
  MapVersion newest;
  bool changing;
  {
    absl::MutexLock lock(&mu_);
    before = before_.value_or(*map_);
    *newest.mutable_map() = *map_;
    changing = pending_ && !pending_->take_over();
    if (pending_) newest = *pending_;
  }
  SYNCLINE_ASSIGN_OR_RETURN(MapChange::Links links, LinksTo(before, newest.map()));
  for (const std::string& address : lost) links.erase(address);
  MapChange change(newest, std::move(links));
  if (changing) SYNCLINE_RETURN_IF_ERROR(change.Confirm());
  SYNCLINE_ASSIGN_OR_RETURN(const Stock stock, change.TakeStock());
  MapVersion next;
  next.set_take_over(true);
  SYNCLINE_ASSIGN_OR_RETURN(*next.mutable_map(),
                            MapAfterLoss(newest.map(), lost, ShardsWithout(newest.map(), before),
                                         BalanceBy().keep_tensors_whole, stock));
  absl::MutexLock lock(&mu_);
  return DecideOn(next);
}

absl::Status CoordinatorImpl::GoThroughTakeOver() {
  MapVersion next;
  {
    absl::MutexLock lock(&mu_);
    next = *pending_;
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto links, LinksTo(next.map(), next.map()));
  SYNCLINE_RETURN_IF_ERROR(MapChange(next, std::move(links)).TakeOver());
  absl::MutexLock lock(&mu_);
  for (const ShardMap& map : {*map_, before_.value_or(*map_)}) {
    for (const std::string& address : ShardsWithout(map, next.map())) Forget(address, next.map());
  }
  map_ = next.map();
  pending_.reset();
  before_.reset();
  trouble_.clear();
  recovering_ = true;
  shards_ = GroupOf({map_->shards().begin(), map_->shards().end()});
  SYNCLINE_RETURN_IF_ERROR(KeepShards());
  return KeepMap(*map_, 0);
}

// A shard that has no place in `next` is lost, or was about to leave with nothing.
void CoordinatorImpl::Forget(const std::string& address, const ShardMap& next) {
  links_.erase(address);
  Registered* const shard = FindShard(address);
  if (shard == nullptr) return;
  const auto& lost = next.lost();
  if (std::find(lost.begin(), lost.end(), address) == lost.end()) {
    shard->retired = true;
    return;
  }
  spdlog::warn("shard {} is lost: others took its chunks over", address);
  if (shard->emptied) {
    shard->emptied = shard->given_up = false;  // another process is there by now
  } else {
    registered_.erase(registered_.begin() + (shard - registered_.data()));
  }
}

bool CoordinatorImpl::Unrecoverable() {
  {
    absl::MutexLock lock(&mu_);
    if (!recovering_) return false;
  }
  std::vector<absl::Status> errors;
  const auto group = shards();
  if (group == nullptr) return false;
  bool done = true;
  for (const ShardStatusReply& shard : group->Status(&errors)) {
    if (shard.unrecoverable()) return true;
    done = done && shard.recovering().empty();
  }
  for (const absl::Status& error : errors) done = done && error.ok();
  absl::MutexLock lock(&mu_);
  if (done) recovering_ = false;
  return false;
}

absl::Status CoordinatorImpl::RestartJob(const std::string& why) {
  absl::MutexLock control(&control_mu_);
  std::string from;
  {
    absl::MutexLock lock(&mu_);
    from = last_checkpoint_.empty() ? restore_from_ : last_checkpoint_;
    ++attempt_;
  }
  SYNCLINE_RETURN_IF_ERROR(BeginAnew(from));
  absl::MutexLock lock(&mu_);
  restarted_ = absl::StrCat(why, ": going on from ", from.empty() ? "the beginning" : from,
                            " once there are ", FirstShards(), " shards and ", job_.workers(),
                            " workers");
  spdlog::warn("{}", restarted_);
  MetadataRecord scaled;
  scaled.mutable_scaled()->set_shards(target_);
  scaled.mutable_scaled()->set_workers(target_workers_);
  scaled.mutable_scaled()->set_rebalance(rebalance_);
  SYNCLINE_RETURN_IF_ERROR(Keep(scaled, true));
  return KeepShards();
}

// The shards that are there stay.
void CoordinatorImpl::ForgetProgress() {
  configuring_.reset();
  registered_.erase(std::remove_if(registered_.begin(), registered_.end(),
                                   [this](const Registered& shard) {
                                     return shard.retired || Silent(shard, ShardLease());
                                   }),
                    registered_.end());
  for (Registered& shard : registered_) shard.emptied = shard.given_up = false;
  map_.reset();
  shards_ = nullptr;
  links_.clear();
  pending_.reset();
  before_.reset();
  recovering_ = false;
  settled_ = {};
  load_maps_.clear();
  leases_ = nullptr;
  committed_.clear();
  samples_ = 0;
  started_ = ending_ = false;
  evaluator_.reset();
  members_.RemoveAll();
}

}  // namespace syncline
