#include <algorithm>
#include <string>
#include <utility>

#include "common/time/steady_notification.h"
#include "spdlog/spdlog.h"
#include "worker/client/client_impl.h"

namespace syncline {
namespace {

// How long a worker that leaves waits for the others to make its last step.
constexpr absl::Duration kSafePatience = absl::Seconds(10);

}  // namespace

bool ClientImpl::Keep(ShardConnection* shard, Clock clock, const Gradients& from, const Group& group) {
  if (!replays()) return true;
  absl::MutexLock lock(&mu_);
  if (shard->abandoned()) return false;
  if (clock < pushed_.clock) return true;
  if (clock > pushed_.clock) pushed_ = {clock, {}, {}};
  const auto add = [](const auto& added, auto* to) {
    to->resize(std::max(to->size(), added.size()));
    for (size_t t = 0; t < added.size(); ++t) {
      if (added[t] != nullptr) (*to)[t] = added[t];
    }
  };
  add(from.tensors, &pushed_.from.tensors);
  add(from.rows, &pushed_.from.rows);
  for (const uint32_t chunk : group.chunks) pushed_.chunks[chunk] = shard;
  return true;
}

ClientImpl::PullDone ClientImpl::Forgetting(PullDone done) {
  if (!replays()) return done;
  return [this, done = std::move(done)](const absl::StatusOr<PullOutcome>& outcome) {
    {
      absl::MutexLock lock(&mu_);
      if (replays_ > 0) {
        after_replays_.push_back([this, done, outcome] { Forgetting(done)(outcome); });
        return;
      }
      // From now on the caller may write to the gradients' memory.
      if (outcome.ok()) pushed_.chunks.clear();
    }
    done(outcome);
  };
}

void ClientImpl::WhenReplayed(std::function<void()> then) {
  {
    absl::MutexLock lock(&mu_);
    if (replays_ > 0) return after_replays_.push_back(std::move(then));
  }
  then();
}

// Before anybody goes by the new map, so that no commit overtakes what it stands for.
void ClientImpl::GiveUpLost(const RouteTable::Ptr& newest) {
  Outgoing out;
  Clock clock;
  std::vector<uint32_t> chunks;
  {
    absl::MutexLock lock(&mu_);
    bool given_up = false;
    for (const std::string& address : newest->lost) {
      const auto shard = shards_.find(address);
      if (shard == shards_.end()) continue;
      shard->second->Abandon();
      for (const auto& [chunk, has] : pushed_.chunks) {
        if (has == shard->second.get()) chunks.push_back(chunk);
      }
      // Under the same address there may be another one some day.
      lost_shards_.push_back(std::move(shard->second));
      shards_.erase(shard);
      given_up = true;
    }
    if (!given_up || !replays()) return;
    ++replays_;
    out.from = pushed_.from;
    clock = pushed_.clock;
  }
  out.route = newest;
  out.groups = GroupsWithRows(*newest, chunks, out.from.rows, false);
  SendPushes(clock, out, [this, newest](const absl::Status& pushed) {
    if (!pushed.ok()) return Replayed(pushed);
    CommitAgain(newest);
  });
}

// Whoever took the chunks over says what is missing, if anything is.
void ClientImpl::CommitAgain(const RouteTable::Ptr& newest) {
  CommitRequest commit;
  {
    absl::MutexLock lock(&mu_);
    commit = last_commit_;
  }
  if (!commit.has_sender()) return Replayed(absl::OkStatus());
  CommitTo(newest, commit, [this](const absl::StatusOr<bool>& accepted) {
    // The map is not the newest any more: then the commit is not awaited, or by that one it is said again.
    Replayed(absl::IsAborted(accepted.status()) ? absl::OkStatus() : accepted.status());
  });
}

void ClientImpl::Replayed(const absl::Status& status) {
  if (!status.ok() && !absl::IsCancelled(status)) {
    spdlog::error("what this worker had pushed to a shard that is lost could not be pushed again: {}",
                  std::string(status.message()));
    if (heartbeat_ != nullptr) heartbeat_->GiveUp();
  }
  std::vector<std::function<void()>> then;
  {
    absl::MutexLock lock(&mu_);
    if (--replays_ > 0) return;
    then.swap(after_replays_);
  }
  for (const auto& call : then) call();
}

void ClientImpl::AwaitSafe(Clock clock) {
  const RouteTable::Ptr route = routes_->newest();
  const auto safe = std::make_shared<SteadyNotification>();
  const Pulling pull = BeginPull(clock, false, route->shards.size(), {},
                                 [safe](const auto&) { safe->Notify(); });
  for (uint32_t shard = 0; shard < route->shards.size(); ++shard) {
    SendPull(pull, *route, {route->epoch(), shard, {}, 0});
  }
  safe->WaitForNotificationWithTimeout(kSafePatience);
}

}  // namespace syncline
