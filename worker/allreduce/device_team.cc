#include "worker/allreduce/device_team.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/allreduce/device_rendezvous.h"
#include "worker/model/device_group.h"

namespace syncline {

DeviceTeam::DeviceTeam(Options options) : options_(std::move(options)) {
  if (options_.device->host_memory()) {
    lacking_ = "computes on a CPU";
    return;
  }
  const auto means = DeviceGroup::Means(options_.device);
  if (means.ok()) means_ = *means;
  if (!means.ok()) lacking_ = absl::StrCat("can't reach other GPUs: ", std::string(means.status().message()));
}

void DeviceTeam::InHostMemory(const std::string& why) {
  const std::string manner = absl::StrCat("in host memory: ", why);
  if (manner != manner_) spdlog::info("gradients are summed {}", manner);
  manner_ = manner;
}

bool DeviceTeam::Propose(TeamStep* step) {
  if (!made_) Failed();
  const Team::View view = options_.team->view();
  if (!view.has_place) return false;
  if (!lacking_.empty() || view.places().size() < 2) {
    InHostMemory(lacking_.empty() ? "there is one process"
                                  : absl::StrCat(view.processes[view.place].name(), " ", lacking_));
    return false;
  }
  for (const uint32_t place : view.places()) {
    if (view.processes[place].host() == view.processes[view.place].host()) continue;
    InHostMemory(absl::StrCat(view.processes[place].name(), " is on another host"));
    return false;
  }
  if (refused_in_ == view.generation) return false;
  step->mutable_devices()->set_generation(sum_ == nullptr ? 0 : since_.generation);
  step->mutable_devices()->set_attempt(sum_ == nullptr ? 0 : since_.number);
  return true;
}

absl::Status DeviceTeam::Begin(const TeamStep& step, const TeamAttempt& attempt, const Team::View& view,
                               const std::vector<Client::Chunk>& chunks) {
  made_ = false;
  if (!step.has_devices()) {
    if (!view.leads()) manner_.clear();
    sum_.reset();
    return absl::OkStatus();
  }
  if (step.devices().generation() != attempt.generation) return Meet(attempt, view, chunks);
  if (sum_ != nullptr && since_.generation == attempt.generation && since_.number == step.devices().attempt()) {
    return absl::OkStatus();
  }
  Failed();
  return absl::AbortedError("this process has left the group of devices that the leader means");
}

absl::Status DeviceTeam::Meet(const TeamAttempt& attempt, const Team::View& view,
                              const std::vector<Client::Chunk>& chunks) {
  Failed();
  const std::string lacking =
      failed_in_ == attempt.generation ? absl::StrCat("failed: ", failure_) : lacking_;
  DeviceRendezvous rendezvous(options_.team, attempt, view, options_.device);
  SYNCLINE_ASSIGN_OR_RETURN(DeviceRendezvous::Outcome outcome, rendezvous.Meet(lacking));
  if (outcome.group == nullptr) {
    refused_in_ = attempt.generation;
    InHostMemory(outcome.refused);
    return absl::OkStatus();
  }
  const std::vector<uint32_t> places = view.places();
  const size_t me = std::find(places.begin(), places.end(), view.place) - places.begin();
  SYNCLINE_ASSIGN_OR_RETURN(sum_, DeviceSum::Create({options_.team->mailbox(), options_.device, options_.network,
                                                     options_.sums, chunks, places.size(), me},
                                                    std::move(outcome.group)));
  since_ = attempt;
  manner_ = absl::StrCat("on ", places.size(), " devices: ", means_);
  spdlog::info("gradients are summed {}", manner_);
  return absl::OkStatus();
}

void DeviceTeam::Failed() {
  if (sum_ != nullptr && !sum_->failure().empty()) {
    failed_in_ = since_.generation;
    failure_ = sum_->failure();
    spdlog::warn("sums on the devices failed: {}", failure_);
  }
  sum_.reset();
}

}  // namespace syncline
