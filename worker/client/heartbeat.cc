#include "worker/client/heartbeat.h"

#include <algorithm>
#include <utility>

#include "common/rpc/call.h"

namespace syncline {

Heartbeat::Heartbeat(Coordinator::Stub* coordinator, Rank rank, Incarnation incarnation,
                     absl::Duration period, Told told)
    : coordinator_(coordinator), told_(std::move(told)) {
  {
    absl::MutexLock lock(&mu_);
    request_.set_rank(rank);
    request_.set_incarnation(incarnation);
  }
  thread_ = std::thread([this, period] { Run(period); });
}

Heartbeat::~Heartbeat() {
  closing_.Notify();
  thread_.join();
}

void Heartbeat::Report(const WorkerProgress& progress) {
  absl::MutexLock lock(&mu_);
  *request_.mutable_progress() = progress;
}

void Heartbeat::End() {
  if (!expelled_.exchange(true)) told_.given_up();
}

void Heartbeat::Run(absl::Duration period) {
  while (!closing_.WaitForNotificationWithTimeout(period)) {
    if (gives_up_) return End();
    HeartbeatRequest request;
    {
      absl::MutexLock lock(&mu_);
      request = request_;
    }
    // A coordinator that is away costs nothing: training goes on without it.
    const auto reply = Call<HeartbeatReply>(*coordinator_, &Coordinator::Stub::Heartbeat, request,
                                            std::max(period, absl::Seconds(1)));
    if (!reply.ok()) continue;
    if (reply->expelled()) End();
    if (reply->map_epoch() > 0) told_.map_epoch(reply->map_epoch());
    if (reply->stopping()) stopping_ = true;
    stand_in_wanted_ = reply->stand_in();
  }
}

}  // namespace syncline
