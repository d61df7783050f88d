#include "server/peer_norms.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "absl/time/clock.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {

PeerNorms::PeerNorms(const SecurityOptions& security)
    : security_(security), thread_([this] { Run(); }) {}

void PeerNorms::SetMap(const MapVersion& version, uint32_t shard) {
  std::vector<std::string> peers;
  for (int i = 0; i < version.map().shards_size(); ++i) {
    if (i != static_cast<int>(shard)) peers.push_back(version.map().shards(i));
  }
  absl::MutexLock lock(&mu_);
  if (version.from_step() == 0) peers_.clear();
  peers_[version.from_step()] = std::move(peers);
}

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

std::vector<std::string> PeerNorms::PeersOf(uint64_t step) {
  absl::MutexLock lock(&mu_);
  if (stopping_ || peers_.empty()) return {};
  // Steps come in order, so what is before the present map is not needed any more.
  while (peers_.size() > 1 && std::next(peers_.begin())->first <= step) {
    peers_.erase(peers_.begin());
  }
  return peers_.begin()->second;
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
    Collect(step);
  }
}

absl::StatusOr<bool> PeerNorms::Fetch(uint64_t step, const std::string& address) {
  auto& stub = stubs_[address];
  if (stub == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, security_));
    stub = ParameterServer::NewStub(channel);
  }
  StepNormsRequest request;
  request.set_step(step);
  SYNCLINE_ASSIGN_OR_RETURN(const auto norms,
                            Call<StepNormsReply>(*stub, &ParameterServer::Stub::StepNorms, request,
                                                 absl::Seconds(5)));
  return shard_->SetPeerNorms(step, norms);
}

// A peer that is a moment behind has its norms soon: ask again at once at first, then slower. When all have
// answered and norms are still missing, one has yet to hear that chunks of a lost shard are its own.
void PeerNorms::Collect(uint64_t step) {
  std::set<std::string> answered;
  for (absl::Duration wait = absl::Microseconds(200);; wait = std::min(2 * wait, absl::Milliseconds(100))) {
    const std::vector<std::string> peers = PeersOf(step);
    if (peers.empty()) return;
    for (const std::string& peer : peers) {
      if (answered.count(peer) > 0) continue;
      const auto complete = Fetch(step, peer);
      if (complete.ok() && *complete) return;
      if (complete.ok()) answered.insert(peer);
      if (!complete.ok() && !IsTransient(complete.status())) {
        spdlog::error("norms of step {}: {}", step, std::string(complete.status().message()));
      }
    }
    if (answered.size() >= peers.size()) answered.clear();
    absl::SleepFor(wait);
  }
}

}  // namespace syncline
