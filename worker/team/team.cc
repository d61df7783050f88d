#include "worker/team/team.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/life.h"
#include "common/memory/local_socket.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/grpc_status.h"
#include "common/status/status_macros.h"
#include "common/wire/protocol_version.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// While it has no place, or somebody is missing.
constexpr absl::Duration kSoon = absl::Milliseconds(100);

}  // namespace

Team::Team(Options options)
    : options_(std::move(options)),
      life_(NewLife()),
      host_(options_.host.empty() ? HostIdentity() : options_.host),
      memory_(options_.shared_memory) {}

absl::StatusOr<std::unique_ptr<Team>> Team::Start(const Options& options) {
  std::unique_ptr<Team> team(new Team(options));
  SYNCLINE_ASSIGN_OR_RETURN(
      team->server_, TeamServer::Start(options.listen, options.security, options.shared_memory, &team->mailbox_));
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.coordinator, options.security));
  team->coordinator_ = Coordinator::NewStub(channel);
  team->thread_ = std::thread([team = team.get()] { team->Run(); });
  return team;
}

Team::~Team() {
  closing_.Notify();
  if (!thread_.joinable()) return;
  thread_.join();
  Ask(/*leaving=*/true);
  absl::MutexLock lock(&mu_);
  for (const auto& [life, link] : links_) link->Close();
}

std::vector<uint32_t> Team::View::places() const {
  std::vector<uint32_t> there;
  for (uint32_t p = 0; p < processes.size(); ++p) {
    if (!processes[p].address().empty()) there.push_back(p);
  }
  return there;
}

bool Team::View::together(uint32_t one, uint32_t other) const {
  const std::string& host = processes[one].host();
  return one == other || (!host.empty() && host == processes[other].host());
}

Team::View Team::view() const {
  absl::MutexLock lock(&mu_);
  return view_;
}

absl::StatusOr<Team::View> Team::Await(const std::function<bool(const View&)>& want,
                                       const std::function<bool()>& stop) {
  while (true) {
    absl::MutexLock lock(&mu_);
    const auto wanted = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return want(view_); };
    if (viewed_.WaitFor(&mu_, absl::Milliseconds(100), wanted)) return view_;
    if (stop && stop()) return absl::CancelledError("told to stop while waiting for the team");
  }
}

void Team::Report(const TeamProgress& progress) {
  absl::MutexLock lock(&mu_);
  progress_ = progress;
}

void Team::Run() {
  absl::Duration pause = absl::ZeroDuration();
  while (!closing_.WaitForNotificationWithTimeout(pause)) {
    Ask(/*leaving=*/false);
    absl::MutexLock lock(&mu_);
    pause = view_.complete ? period_ : std::min(period_, kSoon);
  }
}

void Team::Ask(bool leaving) {
  JoinTeamRequest request;
  request.set_name(options_.name);
  request.set_address(options_.advertise.empty() ? server_->address() : options_.advertise);
  request.set_life(life_);
  request.set_protocol(kProtocolVersion);
  request.set_leaving(leaving);
  request.set_host(host_);
  {
    absl::MutexLock lock(&mu_);
    *request.mutable_progress() = progress_;
    request.mutable_progress()->set_other_hosts_bytes(other_hosts_bytes_);
    if (view_.has_place) {
      request.set_team(view_.team);
      request.set_place(view_.place);
    }
  }
  // A coordinator that is away costs nothing: the team goes on without it.
  const auto reply = Call<JoinTeamReply>(*coordinator_, &Coordinator::Stub::JoinTeam, request,
                                         leaving ? absl::Milliseconds(500) : absl::Seconds(1));
  if (reply.ok() && !leaving) Take(*reply);
  if (!reply.ok() && !IsTransient(reply.status())) {
    spdlog::warn("no place in a team: {}", std::string(reply.status().message()));
  }
}

void Team::Take(const JoinTeamReply& reply) {
  View view;
  view.has_place = reply.has_team();
  view.finished = reply.finished();
  view.team = reply.team();
  view.place = reply.place();
  view.generation = reply.generation();
  view.processes.assign(reply.processes().begin(), reply.processes().end());
  const std::vector<uint32_t> there = view.places();
  view.complete = view.has_place && (there.size() == view.processes.size() || (reply.elastic() && reply.started()));
  if (reply.elastic() && !there.empty()) view.leader = there.front();
  {
    absl::MutexLock lock(&mu_);
    period_ = std::max(absl::Milliseconds(reply.lease_ms()) / 4, absl::Milliseconds(10));
    // An answer that was long on its way.
    if (view.has_place && view_.has_place && view.generation < view_.generation) return;
    const bool placed = view.has_place && (!view_.has_place || view.place != view_.place || view.team != view_.team);
    if (placed) spdlog::info("place {} of team {}", view.place, view.team);
    // Whoever sees the view may begin a step with it at once.
    mailbox_.SetGeneration(view.has_place ? view.generation : 0);
    view_ = view;
  }
  viewed_.NotifyAll();
  CloseLinks(view);
}

void Team::CloseLinks(const View& view) {
  const size_t before = closed_links_.size();
  {
    absl::MutexLock lock(&mu_);
    for (auto link = links_.begin(); link != links_.end();) {
      const bool there = std::any_of(view.processes.begin(), view.processes.end(),
                                     [&](const TeamProcess& p) { return p.life() == link->first; });
      if (!there) closed_links_.push_back(std::move(link->second));
      link = there ? std::next(link) : links_.erase(link);
    }
  }
  for (size_t i = before; i < closed_links_.size(); ++i) closed_links_[i]->Close();
  closed_links_.erase(
      std::remove_if(closed_links_.begin(), closed_links_.end(), [](const auto& link) { return link->ended(); }),
      closed_links_.end());
}

bool Team::OnThisHost(uint32_t place) const {
  absl::MutexLock lock(&mu_);
  if (place >= view_.processes.size()) return false;
  const auto link = links_.find(view_.processes[place].life());
  return link != links_.end() && link->second->on_this_host();
}

std::shared_ptr<Delivery> Team::Send(uint32_t place, TeamMessage head, const Fragments& data) {
  auto delivery = std::make_shared<Delivery>();
  absl::MutexLock lock(&mu_);
  if (place >= view_.processes.size() || view_.processes[place].address().empty()) {
    delivery->done_.Notify();
    return delivery;
  }
  const TeamProcess& to = view_.processes[place];
  const bool together = view_.together(view_.place, place);
  if (!together) other_hosts_bytes_ += data.size();
  std::unique_ptr<TeamLink>& link = links_[to.life()];
  if (link == nullptr) {
    auto made = TeamLink::Create(to.address(), options_.security, together ? &memory_ : &no_memory_);
    if (!made.ok()) {
      spdlog::warn("no way to place {}: {}", place, std::string(made.status().message()));
      links_.erase(to.life());
      delivery->done_.Notify();
      return delivery;
    }
    link = *std::move(made);
  }
  head.set_life(life_);
  head.set_number(++numbers_);
  head.set_place(view_.place);
  link->Send(std::move(head), data, [delivery](const absl::Status& delivered) {
    if (!delivered.ok() && !absl::IsCancelled(delivered)) {
      spdlog::warn("a message of the team was refused: {}", std::string(delivered.message()));
    }
    delivery->done_.Notify();
  });
  return delivery;
}

}  // namespace syncline
