#include "worker/local/local_team.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"

namespace syncline {

LocalTeam::LocalTeam(Options options)
    : options_(std::move(options)),
      ready_(options_.parameters),
      accepting_([this] { Accept(); }) {}

LocalTeam::~LocalTeam() { Stop(false); }

void LocalTeam::Stop(bool over) {
  std::vector<std::thread> readers;
  {
    absl::MutexLock lock(&mu_);
    if (std::exchange(stopped_, true)) return;
    options_.listener.Shutdown();
    HostMessage end;
    end.kind = HostMessage::kEnd;
    for (auto* group : {&joining_, &helpers_}) {
      for (const auto& helper : *group) {
        if (over) Send(helper->socket, end).IgnoreError();
        helper->socket.Shutdown();
      }
    }
  }
  accepting_.join();
  {
    absl::MutexLock lock(&mu_);
    readers.swap(readers_);
  }
  for (std::thread& reader : readers) reader.join();
}

void LocalTeam::Accept() {
  while (true) {
    auto socket = options_.listener.Accept();
    absl::MutexLock lock(&mu_);
    if (stopped_ || !socket.ok()) return;
    auto helper = std::make_shared<Helper>();
    helper->socket = *std::move(socket);
    joining_.push_back(helper);
    readers_.emplace_back([this, helper] { Serve(helper); });
  }
}

// Gives it the weights and waits for its gradients' block.
absl::Status LocalTeam::TakeIn(Helper* helper) {
  SYNCLINE_RETURN_IF_ERROR(helper->socket.CheckPeer());
  HostMessage welcome;
  welcome.kind = HostMessage::kWelcome;
  welcome.rank = options_.rank;
  welcome.incarnation = options_.incarnation;
  SYNCLINE_RETURN_IF_ERROR(Send(helper->socket, welcome, options_.values->fd()));
  int descriptor = -1;
  SYNCLINE_ASSIGN_OR_RETURN(const HostMessage answer, Receive(helper->socket, &descriptor));
  if (descriptor < 0) return absl::InvalidArgumentError("a helper lent no memory");
  SYNCLINE_ASSIGN_OR_RETURN(helper->gradients, SharedMemory::Adopt(descriptor));
  if (answer.kind != HostMessage::kGradients ||
      helper->gradients->size() != options_.values->size()) {
    return absl::InvalidArgumentError("a helper lent memory of another size than the weights'");
  }
  return absl::OkStatus();
}

void LocalTeam::Serve(const std::shared_ptr<Helper>& helper) {
  absl::Status status = TakeIn(helper.get());
  {
    absl::MutexLock lock(&mu_);
    joining_.erase(std::find(joining_.begin(), joining_.end(), helper));
    if (status.ok() && !stopped_) {
      helper->live = true;
      helpers_.push_back(helper);
    }
  }
  if (status.ok()) TellProcesses();
  while (status.ok()) {
    const auto message = Receive(helper->socket);
    status = message.status();
    absl::MutexLock lock(&mu_);
    if (status.ok()) Note(helper.get(), *message);
  }
  {
    absl::MutexLock lock(&mu_);
    helper->socket.Shutdown();
    if (stopped_) return;
    spdlog::info("a process of this host is gone: {}", std::string(status.message()));
    Lose(helper.get());
  }
  TellProcesses();
}

void LocalTeam::Note(Helper* helper, const HostMessage& message) {
  if (message.clock != clock_) return;  // of a step that was given up
  if (message.kind == HostMessage::kMade && message.parameter < helper->made.size()) {
    helper->made[message.parameter] = true;
  } else if (message.kind == HostMessage::kDone) {
    helper->result = message.result;
  }
}

void LocalTeam::Lose(Helper* helper) {
  helper->live = false;
  helper->socket.Shutdown();
  helpers_.erase(std::remove_if(helpers_.begin(), helpers_.end(),
                                [&](const auto& other) { return other.get() == helper; }),
                 helpers_.end());
}

void LocalTeam::TellProcesses() {
  absl::MutexLock one(&told_mu_);
  int processes;
  {
    absl::MutexLock lock(&mu_);
    processes = static_cast<int>(helpers_.size()) + 1;
  }
  spdlog::info("{} processes of this host add up their gradients", processes);
  if (options_.changed) options_.changed(processes);
}

// A helper that has not read a socket full of messages is lost; its reader notices.
void LocalTeam::Tell(const Helper& helper, const HostMessage& message) {
  if (helper.live && !Send(helper.socket, message).ok()) helper.socket.Shutdown();
}

void LocalTeam::TellAll(HostMessage::Kind kind, size_t parameter) {
  HostMessage message;
  message.kind = kind;
  message.clock = clock_;
  message.parameter = static_cast<uint32_t>(parameter);
  for (const auto& helper : parts_) Tell(*helper, message);
}

void LocalTeam::BeginPull() {
  absl::MutexLock lock(&mu_);
  computing_ = false;
  ready_.assign(ready_.size(), false);
}

void LocalTeam::Ready(size_t parameter) {
  absl::MutexLock lock(&mu_);
  ready_[parameter] = true;
  if (computing_) TellAll(HostMessage::kReady, parameter);
}

std::vector<HostPart> LocalTeam::Begin(const StepLease& step, uint64_t batch_size) {
  absl::MutexLock lock(&mu_);
  computing_ = true;
  clock_ = step.clock();
  begun_ = SteadyNow();
  const auto cut = CutStep(step.count(), batch_size, helpers_.size() + 1);
  parts_.assign(helpers_.begin(),
                helpers_.begin() + static_cast<ptrdiff_t>(std::min(helpers_.size(), cut.size() - 1)));
  HostMessage told;
  told.kind = HostMessage::kStep;
  told.clock = clock_;
  told.epoch = step.epoch();
  for (size_t i = 0; i < parts_.size(); ++i) {
    told.begin = step.begin() + cut[i + 1].first;
    told.count = cut[i + 1].count;
    parts_[i]->made.assign(ready_.size(), false);
    parts_[i]->result.reset();
    Tell(*parts_[i], told);
  }
  for (size_t p = 0; p < ready_.size(); ++p) {
    if (ready_[p]) TellAll(HostMessage::kReady, p);
  }
  return cut;
}

void LocalTeam::Abort() {
  absl::MutexLock lock(&mu_);
  computing_ = false;
  TellAll(HostMessage::kAbort, 0);
}

// Whether `there` came true before the helper was lost.
bool LocalTeam::Await(Helper* helper, const std::function<bool()>& there) {
  const auto settled = [&] { return there() || !helper->live; };
  if (!mu_.AwaitWithTimeout(absl::Condition(&settled), options_.patience + (SteadyNow() - begun_))) {
    spdlog::warn("a process of this host is silent and left out from now on");
    Lose(helper);
  }
  return there() && helper->live;
}

const char* LocalTeam::Gradients(size_t part, size_t parameter, bool wait) {
  absl::MutexLock lock(&mu_);
  if (part > parts_.size()) return nullptr;
  Helper* const helper = parts_[part - 1].get();
  const auto made = [&] { return helper->made[parameter]; };
  if (wait ? !Await(helper, made) : !(made() && helper->live)) return nullptr;
  return helper->gradients->data();
}

std::optional<BatchResult> LocalTeam::Result(size_t part) {
  absl::MutexLock lock(&mu_);
  if (part > parts_.size()) return std::nullopt;
  Helper* const helper = parts_[part - 1].get();
  if (!Await(helper, [&] { return helper->result.has_value(); })) return std::nullopt;
  return helper->result;
}

}  // namespace syncline
