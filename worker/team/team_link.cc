#include "worker/team/team_link.h"

#include <utility>

#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

absl::Status NoMember() { return absl::CancelledError("the process is no member of the team any more"); }

}  // namespace

absl::StatusOr<std::unique_ptr<TeamLink>> TeamLink::Create(const std::string& address, const SecurityOptions& security,
                                                           const SharedBlocks* memory) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(address, security));
  return std::unique_ptr<TeamLink>(new TeamLink(std::move(channel), memory));
}

TeamLink::TeamLink(std::shared_ptr<grpc::Channel> channel, const SharedBlocks* memory)
    : channel_(std::move(channel)), memory_(memory), network_(channel_) {
  thread_ = std::thread([this] { Run(); });
}

TeamLink::~TeamLink() {
  Close();
  thread_.join();
}

void TeamLink::Close() {
  HostLink* host = nullptr;
  {
    absl::MutexLock lock(&mu_);
    if (closed_) return;
    closed_ = true;
    host = host_.get();
  }
  network_.Close();
  if (host != nullptr) host->Close();
}

bool TeamLink::on_this_host() const {
  absl::MutexLock lock(&mu_);
  return host_ != nullptr;
}

void TeamLink::Send(TeamMessage head, const Fragments& data, Done done) {
  {
    absl::MutexLock lock(&mu_);
    if (!closed_) {
      auto message = std::make_shared<Outgoing>(Outgoing{std::move(head), data, std::move(done)});
      if (!SendOnHost(message)) queue_.push_back(std::move(message));
      return;
    }
  }
  done(NoMember());
}

bool TeamLink::SendOnHost(const std::shared_ptr<Outgoing>& message) {
  return host_ != nullptr && host_->Send(message->head, message->data, [this, message](const absl::Status& read) {
    if (read.ok()) return message->done(read);
    SendOverNetwork(message);  // if it has arrived, its number is known there
  });
}

void TeamLink::SendOverNetwork(const std::shared_ptr<Outgoing>& message) {
  {
    absl::MutexLock lock(&mu_);
    if (!closed_) return queue_.push_back(message);
  }
  message->done(NoMember());
}

void TeamLink::Attach() {
  if (!memory_->wanted()) return;
  // Without it messages go through the network, so why there is none does not matter.
  auto host = HostLink::Attach(channel_, memory_);
  if (!host.ok() || *host == nullptr) return;
  spdlog::info("shared memory with a process of the team on this host");
  absl::MutexLock lock(&mu_);
  if (!closed_) host_ = *std::move(host);
}

void TeamLink::Run() {
  Attach();
  while (true) {
    std::shared_ptr<Outgoing> message;
    {
      absl::MutexLock lock(&mu_);
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return closed_ || !queue_.empty(); };
      mu_.Await(absl::Condition(&work));
      if (queue_.empty()) break;
      message = std::move(queue_.front());
      queue_.pop_front();
    }
    network_.Send(message->head, message->data, message->done);
  }
  ended_.Notify();
}

}  // namespace syncline
