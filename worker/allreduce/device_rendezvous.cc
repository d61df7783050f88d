#include "worker/allreduce/device_rendezvous.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/memory/local_socket.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

constexpr absl::Duration kPoll = absl::Microseconds(200);

TeamDevices Refusal(const std::string& why) {
  TeamDevices devices;
  devices.set_refused(why);
  return devices;
}

// A failure of the group as the end of a sentence that the process begins.
std::string CouldNotJoin(const absl::Status& status) {
  return absl::StrCat(" could not join the others: ", std::string(status.message()));
}

}  // namespace

std::string WhyNoGroup(absl::Span<const DeviceOffer> offers) {
  if (offers.size() < 2) return "there is one process";
  std::map<std::string, std::string> at;  // process by location
  for (const DeviceOffer& offer : offers) {
    if (!offer.refused.empty()) return absl::StrCat(offer.process, " ", offer.refused);
    if (offer.host.empty()) return absl::StrCat(offer.process, " can't tell which host it is on");
    if (offer.host != offers[0].host) {
      return absl::StrCat(offer.process, " and ", offers[0].process, " are on two hosts");
    }
    const auto [other, fresh] = at.emplace(offer.location, offer.process);
    if (!fresh) {
      return absl::StrCat(offer.process, " and ", other->second, " compute on one device (", offer.location,
                          "): give each its own with --device");
    }
  }
  return "";
}

void DeviceRendezvous::Send(uint32_t place, Step step, const TeamDevices& devices) {
  TeamMessage message = MessageOf(TeamMessage::DEVICES, attempt_, step);
  *message.mutable_devices() = devices;
  team_->Send(place, std::move(message));
}

void DeviceRendezvous::SendToOthers(Step step, const TeamDevices& devices) {
  for (const uint32_t place : places_) {
    if (place != view_.place) Send(place, step, devices);
  }
}

absl::StatusOr<TeamDevices> DeviceRendezvous::Take(uint32_t place, Step step) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto message, team_->mailbox()->Take(TeamMessage::DEVICES, place, step));
  return message.head.devices();
}

absl::StatusOr<std::optional<TeamDevices>> DeviceRendezvous::TakeIfThere(uint32_t place, Step step) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto message, team_->mailbox()->TakeIfThere(TeamMessage::DEVICES, place, step));
  if (!message) return std::nullopt;
  return message->head.devices();
}

absl::StatusOr<std::string> DeviceRendezvous::Join(const std::string& id, const Ask& ended,
                                                   std::unique_ptr<DeviceGroup>* group) {
  int rank = 0;
  while (places_[rank] != view_.place) ++rank;
  auto joined = DeviceGroup::Join(device_, id, static_cast<int>(places_.size()), rank);
  if (!joined.ok()) return absl::StrCat(NameOf(view_.place), CouldNotJoin(joined.status()));
  *group = *std::move(joined);
  while (true) {
    const auto ready = (*group)->Ready();
    if (!ready.ok()) return absl::StrCat(NameOf(view_.place), CouldNotJoin(ready.status()));
    if (*ready) return "";
    SYNCLINE_ASSIGN_OR_RETURN(const bool over, ended());
    if (over) return "";
    absl::SleepFor(kPoll);
  }
}

absl::StatusOr<DeviceRendezvous::Outcome> DeviceRendezvous::Lead(DeviceOffer own) {
  std::vector<DeviceOffer> offers;
  for (const uint32_t place : places_) {
    if (place == view_.place) {
      offers.push_back(own);
      continue;
    }
    SYNCLINE_ASSIGN_OR_RETURN(const TeamDevices offer, Take(place, kOffer));
    offers.push_back({NameOf(place), offer.host(), offer.location(), offer.refused()});
  }
  TeamDevices decision = Refusal(WhyNoGroup(offers));
  if (decision.refused().empty()) {
    const auto id = DeviceGroup::NewId(device_);
    if (id.ok()) decision.set_group(*id);
    if (!id.ok()) decision.set_refused(absl::StrCat(own.process, CouldNotJoin(id.status())));
  }
  SendToOthers(kDecision, decision);
  if (!decision.refused().empty()) return Outcome{nullptr, decision.refused()};

  std::map<uint32_t, TeamDevices> answers;
  std::string refused;
  const auto anybody_refused = [&]() -> absl::StatusOr<bool> {
    for (const uint32_t place : places_) {
      if (place == view_.place || answers.count(place) > 0) continue;
      SYNCLINE_ASSIGN_OR_RETURN(const auto answer, TakeIfThere(place, kJoined));
      if (!answer) continue;
      answers[place] = *answer;
      if (refused.empty()) refused = answer->refused();
    }
    return !refused.empty();
  };
  Outcome outcome;
  SYNCLINE_ASSIGN_OR_RETURN(const std::string own_refusal, Join(decision.group(), anybody_refused, &outcome.group));
  if (refused.empty()) refused = own_refusal;
  for (const uint32_t place : places_) {
    if (!refused.empty()) break;
    if (place == view_.place || answers.count(place) > 0) continue;
    SYNCLINE_ASSIGN_OR_RETURN(const TeamDevices answer, Take(place, kJoined));
    refused = answer.refused();
  }
  SendToOthers(kVerdict, Refusal(refused));
  if (!refused.empty()) return Outcome{nullptr, refused};
  return outcome;
}

absl::StatusOr<DeviceRendezvous::Outcome> DeviceRendezvous::Follow(const DeviceOffer& own) {
  TeamDevices offer = Refusal(own.refused);
  offer.set_host(own.host);
  offer.set_location(own.location);
  Send(view_.leader, kOffer, offer);
  SYNCLINE_ASSIGN_OR_RETURN(const TeamDevices decision, Take(view_.leader, kDecision));
  if (!decision.refused().empty()) return Outcome{nullptr, decision.refused()};

  std::optional<TeamDevices> verdict;
  const auto decided = [&]() -> absl::StatusOr<bool> {
    SYNCLINE_ASSIGN_OR_RETURN(verdict, TakeIfThere(view_.leader, kVerdict));
    return verdict.has_value();
  };
  Outcome outcome;
  SYNCLINE_ASSIGN_OR_RETURN(const std::string refused, Join(decision.group(), decided, &outcome.group));
  Send(view_.leader, kJoined, Refusal(refused));
  if (!verdict) {
    SYNCLINE_ASSIGN_OR_RETURN(verdict, Take(view_.leader, kVerdict));
  }
  if (!verdict->refused().empty()) return Outcome{nullptr, verdict->refused()};
  return outcome;
}

absl::StatusOr<DeviceRendezvous::Outcome> DeviceRendezvous::Meet(const std::string& refused) {
  DeviceOffer own = {NameOf(view_.place), HostIdentity(), "", refused};
  if (refused.empty()) {
    SYNCLINE_ASSIGN_OR_RETURN(own.location, DeviceGroup::Location(device_));
  }
  return view_.leads() ? Lead(std::move(own)) : Follow(own);
}

}  // namespace syncline
