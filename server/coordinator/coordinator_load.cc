#include <vector>

#include "common/cluster/rebalance.h"
#include "server/coordinator/coordinator_impl.h"
#include "spdlog/spdlog.h"

namespace syncline {

LoadWatch::Options CoordinatorImpl::LoadOptions(absl::Duration interval) {
  LoadWatch::Options options;
  options.interval = interval;
  return options;
}

HeartbeatReply CoordinatorImpl::ShardHeartbeat(const HeartbeatRequest& request) {
  HeartbeatReply reply;
  Registered* const shard = FindShard(request.shard());
  reply.set_unknown(shard == nullptr);
  if (shard == nullptr) return reply;
  shard->last_seen = options_.now();
  reply.set_retired(shard->retired);
  if (InMap(shard->address) && !shard->given_up && !shard->emptied) reply.set_map_epoch(map_->epoch());
  loads_.Report(shard->address, request.load());
  return reply;
}

std::vector<ShardMap> CoordinatorImpl::MapsForLoad() {
  const bool follows = !load_maps_.empty() && load_maps_.front().epoch() == map_->epoch() + 1;
  if (!follows || rebalance_ != REBALANCE_AUTO) load_maps_.clear();
  if (rebalance_ != REBALANCE_AUTO || WantedShards().empty() || !load_maps_.empty()) return load_maps_;
  load_maps_ = loads_.Plan(*map_, BalanceBy(), options_.now());
  if (!load_maps_.empty()) {
    spdlog::info("shards have unevenly much to do: {} bytes of weights and copies move",
                 MovedBytes(*map_, load_maps_.back()));
  }
  return load_maps_;
}

void CoordinatorImpl::NoteLoadMoved(const ShardMap& from, const ShardMap& to) {
  absl::MutexLock lock(&mu_);
  load_moved_bytes_ += MovedBytes(from, to);
  if (!load_maps_.empty() && load_maps_.front().epoch() == to.epoch()) load_maps_.erase(load_maps_.begin());
}

void CoordinatorImpl::FillLoad(ClusterStatusReply* reply) const {
  for (int i = 0; map_ && i < map_->shards_size(); ++i) reply->add_shard_load(loads_.load(map_->shards(i)));
}

}  // namespace syncline
