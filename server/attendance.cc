#include "server/attendance.h"

#include <algorithm>
#include <utility>

#include "common/rpc/call.h"
#include "common/time/steady_now.h"
#include "common/wire/protocol_version.h"
#include "spdlog/spdlog.h"

namespace syncline {

void Attendance::Begin(Options options, Coordinator::Stub* stub) {
  options_ = std::move(options);
  stub_ = stub;
  thread_ = std::thread([this] { Attend(); });
}

void Attendance::End() {
  ending_.Notify();
  if (thread_.joinable()) thread_.join();
}

bool Attendance::CountedOn(uint64_t epoch) const {
  absl::MutexLock lock(&mu_);
  return counted_epoch_ != 0 && counted_epoch_ <= epoch && SteadyNow() < counted_until_;
}

bool Attendance::Register(RegisterShardReply* reply) {
  RegisterShardRequest request;
  request.set_address(options_.address);
  request.set_protocol(kProtocolVersion);
  request.set_life(options_.life);
  std::string last_error;
  while (!ending_.HasBeenNotified()) {
    auto registered =
        Call<RegisterShardReply>(*stub_, &Coordinator::Stub::RegisterShard, request, absl::Seconds(5));
    if (registered.ok()) {
      *reply = *std::move(registered);
      return true;
    }
    const std::string error(registered.status().message());
    if (error != last_error) {
      spdlog::warn("cannot register with --coordinator={} yet: {}", options_.coordinator, error);
    }
    last_error = error;
    ending_.WaitForNotificationWithTimeout(absl::Milliseconds(100));
  }
  return false;
}

void Attendance::Attend() {
  RegisterShardReply registered;
  if (!Register(&registered)) return;
  spdlog::info("registered as shard {} at {}", registered.shard(), options_.address);
  const absl::Duration lease = absl::Milliseconds(registered.lease_ms());
  const absl::Duration beat = lease / 3;
  HeartbeatRequest request;
  request.set_shard(options_.address);
  absl::Time last = SteadyNow();
  while (!ending_.WaitForNotificationWithTimeout(beat)) {
    // The coordinator counts from when it hears this, which is later.
    const absl::Time sent = SteadyNow();
    *request.mutable_load() = meter_.Next(options_.work(), absl::ToDoubleSeconds(sent - last));
    last = sent;
    const auto reply =
        Call<HeartbeatReply>(*stub_, &Coordinator::Stub::Heartbeat, request, std::max(beat, absl::Seconds(1)));
    if (!reply.ok()) {
      spdlog::debug("heartbeat: {}", std::string(reply.status().message()));
      continue;
    }
    if (reply->retired()) retired_ = true;
    {
      absl::MutexLock lock(&mu_);
      counted_epoch_ = reply->map_epoch();
      counted_until_ = sent + lease;
    }
    if (reply->unknown() && !Register(&registered)) return;
  }
}

}  // namespace syncline
