#include "worker/team/team_link.h"

#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/rpc/call_raw.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/wire/team_message.h"

namespace syncline {
namespace {

constexpr absl::Duration kAttempt = absl::Seconds(10);
constexpr absl::Duration kPause = absl::Milliseconds(20);

}  // namespace

absl::StatusOr<std::unique_ptr<TeamLink>> TeamLink::Create(const std::string& address,
                                                           const SecurityOptions& security) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, security));
  return std::unique_ptr<TeamLink>(new TeamLink(std::move(channel)));
}

TeamLink::TeamLink(std::shared_ptr<grpc::Channel> channel) : channel_(std::move(channel)) {
  thread_ = std::thread([this] { Run(); });
}

TeamLink::~TeamLink() {
  Close();
  thread_.join();
}

void TeamLink::Close() {
  absl::MutexLock lock(&mu_);
  if (closed_) return;
  closed_ = true;
  closing_.Notify();
}

void TeamLink::Send(TeamMessage head, const Fragments& data, Done done) {
  {
    absl::MutexLock lock(&mu_);
    if (!closed_) {
      queue_.push_back({std::move(head), data, std::move(done)});
      return;
    }
  }
  done(absl::CancelledError("the process is no member of the team any more"));
}

absl::Status TeamLink::Deliver(const Outgoing& message) {
  while (!closing_.HasBeenNotified()) {
    // gRPC may look at the message for a while after a call that failed.
    auto lifetime = std::make_shared<char>();
    const std::weak_ptr<char> released = lifetime;
    absl::Status delivered;
    {
      Fragments data(std::move(lifetime));
      for (const Fragments::Piece& piece : message.data.pieces()) data.Append(piece.data, piece.size);
      const grpc::ByteBuffer request = EncodeTeamMessage(message.head, data);
      delivered = CallRaw(channel_, "/syncline.TeamMessages/Deliver", request, kAttempt).status();
    }
    while (!released.expired()) absl::SleepFor(absl::Milliseconds(1));
    if (delivered.ok() || !IsTransient(delivered)) return delivered;
    closing_.WaitForNotificationWithTimeout(kPause);
  }
  return absl::CancelledError("the process is no member of the team any more");
}

void TeamLink::Run() {
  while (true) {
    Outgoing message;
    {
      absl::MutexLock lock(&mu_);
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return closed_ || !queue_.empty(); };
      mu_.Await(absl::Condition(&work));
      if (queue_.empty()) return;
      message = std::move(queue_.front());
      queue_.pop_front();
    }
    message.done(Deliver(message));
  }
}

}  // namespace syncline
