#include "server/peer_norms.h"

#include <algorithm>
#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<PeerNorms>> PeerNorms::Create(const ShardMap& map, uint32_t shard,
                                                             const SecurityOptions& security) {
  std::vector<Peer> peers;
  for (int i = 0; i < map.shards_size(); ++i) {
    if (i == static_cast<int>(shard)) continue;
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(map.shards(i), security));
    peers.push_back(ParameterServer::NewStub(channel));
  }
  return std::unique_ptr<PeerNorms>(new PeerNorms(std::move(peers)));
}

PeerNorms::PeerNorms(std::vector<Peer> peers)
    : peers_(std::move(peers)), thread_([this] { Run(); }) {}

PeerNorms::~PeerNorms() {
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
  }
  thread_.join();
}

void PeerNorms::Want(uint64_t step) {
  absl::MutexLock lock(&mu_);
  wanted_.push_back(step);
}

bool PeerNorms::stopping() const {
  absl::MutexLock lock(&mu_);
  return stopping_;
}

void PeerNorms::Run() {
  while (true) {
    uint64_t step;
    {
      absl::MutexLock lock(&mu_);
      const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || !wanted_.empty();
      };
      mu_.Await(absl::Condition(&due));
      if (stopping_) return;
      step = wanted_.front();
      wanted_.pop_front();
    }
    for (const Peer& peer : peers_) Fetch(step, *peer);
  }
}

// A peer that is a moment behind has its norms soon: ask again at once at first, then slower.
void PeerNorms::Fetch(uint64_t step, ParameterServer::Stub& peer) {
  StepNormsRequest request;
  request.set_step(step);
  absl::Duration wait = absl::Microseconds(200);
  while (!stopping()) {
    const auto norms = Call<StepNormsReply>(peer, &ParameterServer::Stub::StepNorms, request,
                                            absl::Seconds(5));
    if (norms.ok()) {
      const absl::Status set = shard_->SetPeerNorms(step, *norms);
      if (!set.ok()) spdlog::error("norms of step {}: {}", step, std::string(set.message()));
      return;
    }
    if (!IsTransient(norms.status())) {
      spdlog::error("norms of step {}: {}", step, std::string(norms.status().message()));
    }
    absl::SleepFor(wait);
    wait = std::min(2 * wait, absl::Milliseconds(100));
  }
}

}  // namespace syncline
