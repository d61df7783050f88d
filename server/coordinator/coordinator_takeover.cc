#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/cluster/rebalance.h"
#include "common/cluster/shard_map.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"
#include "spdlog/spdlog.h"

namespace syncline {

std::vector<std::string> CoordinatorImpl::LostShards(absl::Duration silence) const {
  std::vector<std::string> lost;
  for (const Registered& shard : registered_) {
    if (InMap(shard.address) && (shard.emptied || Silent(shard, silence))) lost.push_back(shard.address);
  }
  return lost;
}

bool CoordinatorImpl::TakingOver() const {
  if (!pending_ || !map_) return false;
  for (const std::string& address : pending_->map().lost()) {
    if (InMap(address)) return true;
  }
  return false;
}

bool CoordinatorImpl::HandleLostShards() {
  std::vector<std::string> lost;
  bool decided;
  {
    absl::MutexLock lock(&mu_);
    if (finished_) return false;
    lost = LostShards(ShardLease());
    decided = TakingOver();  // by the coordinator before this one
  }
  std::string why;
  if (decided || !lost.empty()) {
    const absl::Status taken_over = TakeOver(lost);
    if (taken_over.ok()) return true;
    why = absl::StrCat("shard ", absl::StrJoin(lost, ", "), " is lost");
    if (job_.replicas() > 1) absl::StrAppend(&why, " and with it copies (", taken_over.message(), ")");
  } else if (Unrecoverable()) {
    why = "a shard is lost and with it what a worker had pushed that is gone too";
  } else {
    return false;
  }
  const absl::Status restarted = RestartJob(why);
  absl::MutexLock lock(&mu_);
  if (!restarted.ok()) trouble_ = std::string(restarted.message());
  return true;
}

absl::Status CoordinatorImpl::TakeOver(const std::vector<std::string>& lost) {
  if (job_.replicas() <= 1) return absl::FailedPreconditionError("replicas is 1");
  {
    // Nobody waits for an answer of theirs any more.
    absl::MutexLock lock(&mu_);
    for (const std::string& address : lost) {
      const auto link = links_.find(address);
      if (link != links_.end()) link->second->GiveUp();
    }
  }
  absl::MutexLock control(&control_mu_);
  {
    absl::MutexLock lock(&mu_);
    if (!map_) return absl::FailedPreconditionError("the shards have no map yet");
    if (pending_ && !TakingOver()) {
      return absl::FailedPreconditionError(
          absl::StrCat("chunks were on their way by map epoch ", pending_->map().epoch()));
    }
    if (!pending_) {
      SYNCLINE_ASSIGN_OR_RETURN(const ShardMap next, MapWithout(*map_, lost));
      SYNCLINE_RETURN_IF_ERROR(DecideOn(next, 0));
    }
  }
  return GoThroughTakeOver();
}

absl::Status CoordinatorImpl::GoThroughTakeOver() {
  ShardMap map, next;
  {
    absl::MutexLock lock(&mu_);
    map = *map_;
    next = pending_->map();
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto links, LinksTo(next, next));
  SYNCLINE_RETURN_IF_ERROR(MapChange(next, std::move(links)).TakeOver());
  absl::MutexLock lock(&mu_);
  map_ = next;
  pending_.reset();
  recovering_ = true;
  shards_ = GroupOf({next.shards().begin(), next.shards().end()});
  for (const std::string& address : map.shards()) {
    if (HasShard(next, address)) continue;
    links_.erase(address);
    Registered* const shard = FindShard(address);
    if (shard == nullptr) continue;
    spdlog::warn("shard {} is lost: others took its chunks over", address);
    if (shard->emptied) {
      shard->emptied = false;  // another process is there by now
    } else {
      registered_.erase(registered_.begin() + (shard - registered_.data()));
    }
  }
  SYNCLINE_RETURN_IF_ERROR(KeepShards());
  return KeepMap(next, 0, false);
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
    restarted_ = absl::StrCat(why, ": going on from ",
                              from.empty() ? "the beginning" : from, " once there are ",
                              job_.shards(), " shards and ", job_.workers(), " workers");
    spdlog::warn("{}", restarted_);
    registered_.erase(std::remove_if(registered_.begin(), registered_.end(),
                                     [this](const Registered& shard) {
                                       return shard.retired || Silent(shard, ShardLease());
                                     }),
                      registered_.end());
    for (Registered& shard : registered_) shard.emptied = false;
    map_.reset();
    shards_ = nullptr;
    links_.clear();
    pending_.reset();
    recovering_ = false;
    settled_ = {};
    leases_ = nullptr;
    committed_.clear();
    samples_ = 0;
    started_ = ending_ = false;
    evaluator_.reset();
    members_.RemoveAll();
    restored_.reset();
    first_step_ = 0;
  }
  SYNCLINE_RETURN_IF_ERROR(BeginAnew(from));
  absl::MutexLock lock(&mu_);
  MetadataRecord scaled;
  scaled.mutable_scaled()->set_shards(target_);
  scaled.mutable_scaled()->set_workers(target_workers_);
  SYNCLINE_RETURN_IF_ERROR(Keep(scaled, true));
  return KeepShards();
}

}  // namespace syncline
