#include "worker/client/route_table.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "common/threads/in_parallel.h"
#include "common/time/steady_now.h"

namespace syncline {

absl::Status RouteTable::Start(const ShardMap& map) {
  SYNCLINE_ASSIGN_OR_RETURN(const GetMapReply known, AskForFirst(map));
  {
    absl::MutexLock lock(&mu_);
    in_force_ = known.maps(0).map().epoch();
  }
  for (const MapVersion& version : known.maps()) SYNCLINE_RETURN_IF_ERROR(Install(version));
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

absl::StatusOr<GetMapReply> RouteTable::AskForFirst(const ShardMap& map) {
  const absl::Time deadline = SteadyNow() + options_.patience;
  while (true) {
    for (const std::string& address : map.shards()) {
      auto reply = Ask(address);
      if (reply.ok() && !reply->maps().empty() && reply->maps().rbegin()->map().epoch() >= map.epoch()) return reply;
    }
    if (!options_.by_step) break;
    if (options_.stop && options_.stop()) return absl::CancelledError("told to stop while no shard answers");
    if (SteadyNow() > deadline) {
      return absl::UnavailableError(absl::StrCat("no shard of map epoch ", map.epoch(), " answers, the first is ",
                                                 map.shards(0), ": do they run?"));
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
  GetMapReply only;
  *only.add_maps()->mutable_map() = map;
  return only;
}

void RouteTable::Stop() {
  std::vector<Waiter> waiters;
  {
    absl::MutexLock lock(&mu_);
    stopping_ = true;
    waiters.swap(waiters_);
  }
  for (const Waiter& waiter : waiters) waiter.then(absl::CancelledError("the client is closing"));
  if (thread_.joinable()) thread_.join();
}

RouteTable::Ptr RouteTable::RouteFor(Clock clock) const {
  if (!options_.by_step) return routes_.back();
  // The first one is in force, if nothing newer is.
  auto it = routes_.rbegin();
  while ((*it)->from_step > clock && (*it)->epoch() > in_force_) ++it;
  return *it;
}

RouteTable::Ptr RouteTable::For(Clock clock) const {
  absl::MutexLock lock(&mu_);
  return RouteFor(clock);
}

RouteTable::Ptr RouteTable::newest() const {
  absl::MutexLock lock(&mu_);
  return routes_.back();
}

void RouteTable::Hint(uint64_t epoch) {
  absl::MutexLock lock(&mu_);
  hinted_ = std::max(hinted_, epoch);
}

bool RouteTable::Lacks(const std::string& address, Clock clock) {
  absl::MutexLock lock(&mu_);
  const std::vector<std::string>& there = RouteFor(clock)->addresses;
  if (std::find(there.begin(), there.end(), address) == there.end()) return true;
  look_ = true;
  return false;
}

void RouteTable::Await(uint64_t epoch, Clock clock, std::function<void(absl::Status)> then) {
  absl::Status status;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) {
      status = absl::CancelledError("the client is closing");
    } else if (RouteFor(clock)->epoch() <= epoch) {
      waiters_.push_back({epoch, clock, SteadyNow() + options_.patience, std::move(then)});
      return;
    }
  }
  then(status);
}

std::vector<RouteTable::Waiter> RouteTable::TakeDone() {
  const absl::Time now = SteadyNow();
  const auto waits = [&](const Waiter& waiter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return RouteFor(waiter.clock)->epoch() <= waiter.epoch && now < waiter.deadline;
  };
  const auto done = std::partition(waiters_.begin(), waiters_.end(), waits);
  std::vector<Waiter> taken(std::make_move_iterator(done),
                            std::make_move_iterator(waiters_.end()));
  waiters_.erase(done, waiters_.end());
  return taken;
}

void RouteTable::Run() {
  absl::Duration wait = absl::Milliseconds(2);
  while (true) {
    {
      absl::MutexLock lock(&mu_);
      const auto due = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
        return stopping_ || look_ || !waiters_.empty() || hinted_ > routes_.back()->epoch();
      };
      mu_.Await(absl::Condition(&due));
      if (stopping_) return;
      look_ = false;
    }
    wait = Fetch() ? absl::Milliseconds(2) : std::min(2 * wait, absl::Milliseconds(200));
    std::vector<Waiter> done;
    bool again;
    {
      absl::MutexLock lock(&mu_);
      done = TakeDone();
      again = !waiters_.empty() || hinted_ > routes_.back()->epoch();
    }
    const absl::Time now = SteadyNow();
    for (const Waiter& waiter : done) {
      waiter.then(now < waiter.deadline
                      ? absl::OkStatus()
                      : absl::DeadlineExceededError(absl::StrCat(
                            "no shard knows of a map after epoch ", waiter.epoch, " for clock ",
                            waiter.clock, ": is the coordinator there?")));
    }
    if (again) absl::SleepFor(wait);
  }
}

absl::StatusOr<GetMapReply> RouteTable::Ask(const std::string& address) {
  auto& stub = stubs_[address];
  if (stub == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, options_.security));
    stub = ParameterServer::NewStub(channel);
  }
  return Call<GetMapReply>(*stub, &ParameterServer::Stub::GetMap, GetMapRequest(),
                           absl::Seconds(2));
}

bool RouteTable::Fetch() {
  const Ptr known = newest();
  for (const std::string& address : known->addresses) {
    const auto reply = Ask(address);
    if (reply.ok() && Take(*reply)) return true;
  }
  return false;
}

bool RouteTable::Take(const GetMapReply& reply) {
  bool news = false;
  for (const MapVersion& version : reply.maps()) {
    if (version.map().epoch() > newest()->epoch()) news |= Install(version).ok();
  }
  if (reply.maps().empty()) return news;
  const uint64_t in_force = reply.maps(0).map().epoch();
  absl::MutexLock lock(&mu_);
  news |= in_force > in_force_;
  in_force_ = std::max(in_force_, in_force);
  return news;
}

absl::StatusOr<std::vector<ShardConnection*>> RouteTable::Connect(const ShardMap& map) {
  std::vector<absl::StatusOr<ShardConnection*>> connected(map.shards_size());
  // A new shard takes round trips, and workers wait for all of them.
  InParallel(connected.size(), [&](size_t i) { connected[i] = options_.connect(map.shards(i)); });
  std::vector<ShardConnection*> shards;
  for (const auto& connection : connected) {
    SYNCLINE_RETURN_IF_ERROR(connection.status());
    shards.push_back(*connection);
  }
  return shards;
}

absl::Status RouteTable::Install(const MapVersion& version) {
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(version.map()));
  SYNCLINE_ASSIGN_OR_RETURN(std::vector<ShardConnection*> shards, Connect(version.map()));
  std::vector<size_t> message_bytes;
  for (const ShardConnection* const shard : shards) message_bytes.push_back(options_.message_bytes(*shard));
  const auto route = std::make_shared<const Route>(version, std::move(shards),
                                                   std::move(message_bytes), options_.holds);
  Ptr before;
  if (options_.installing) options_.installing(route);
  {
    absl::MutexLock lock(&mu_);
    if (!routes_.empty()) before = routes_.back();
    routes_.push_back(route);
  }
  if (before != nullptr && options_.installed) options_.installed(route, before);
  return absl::OkStatus();
}

}  // namespace syncline
