#include "server/peer_norms.h"

#include <algorithm>
#include <iterator>
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

bool PeerNorms::Asks(const std::string& address) const {
  absl::MutexLock lock(&mu_);
  return !stopping_ && std::any_of(peers_.begin(), peers_.end(), [&](const auto& peers) {
    return std::find(peers.second.begin(), peers.second.end(), address) != peers.second.end();
  });
}

void PeerNorms::Run() {
  while (true) {
    uint64_t step;
    std::vector<std::string> peers;
    {
      absl::MutexLock lock(&mu_);
      const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || !wanted_.empty();
      };
      mu_.Await(absl::Condition(&due));
      if (stopping_) return;
      step = wanted_.front();
      wanted_.pop_front();
      // Steps come in order, so what is before the present map is not needed any more.
      while (peers_.size() > 1 && std::next(peers_.begin())->first <= step) {
        peers_.erase(peers_.begin());
      }
      peers = peers_.begin()->second;
    }
    for (const std::string& peer : peers) Fetch(step, peer);
  }
}

absl::Status PeerNorms::Ask(uint64_t step, const std::string& address, StepNormsReply* norms) {
  auto& stub = stubs_[address];
  if (stub == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, security_));
    stub = ParameterServer::NewStub(channel);
  }
  StepNormsRequest request;
  request.set_step(step);
  SYNCLINE_ASSIGN_OR_RETURN(
      *norms, Call<StepNormsReply>(*stub, &ParameterServer::Stub::StepNorms, request,
                                   absl::Seconds(5)));
  return absl::OkStatus();
}

// A peer that is a moment behind has its norms soon: ask again at once at first, then slower.
void PeerNorms::Fetch(uint64_t step, const std::string& address) {
  absl::Duration wait = absl::Microseconds(200);
  while (Asks(address)) {
    StepNormsReply norms;
    absl::Status status = Ask(step, address, &norms);
    const bool got = status.ok();
    if (got) status = shard_->SetPeerNorms(step, norms);
    if (!status.ok() && !IsTransient(status)) {
      spdlog::error("norms of step {}: {}", step, std::string(status.message()));
    }
    if (got) return;
    absl::SleepFor(wait);
    wait = std::min(2 * wait, absl::Milliseconds(100));
  }
}

}  // namespace syncline
