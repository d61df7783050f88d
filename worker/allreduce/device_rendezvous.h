#ifndef SYNCLINE_WORKER_ALLREDUCE_DEVICE_RENDEZVOUS_H_
#define SYNCLINE_WORKER_ALLREDUCE_DEVICE_RENDEZVOUS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "proto/team.pb.h"
#include "worker/model/device.h"
#include "worker/model/device_group.h"
#include "worker/team/team.h"

namespace syncline {

// What a process offers to a group of devices.
struct DeviceOffer {
  std::string process;   // its name
  std::string host;      // the same for processes of one host
  std::string location;  // of the device on its host
  std::string refused;   // why it can't be in any, as the end of a sentence; "": it can
};

// Why these can't form a group; "" if they can. Pure.
std::string WhyNoGroup(absl::Span<const DeviceOffer> offers);

// The devices of a team's processes become a group, or all hear why they can't: 1. each tells the leader what it has;
// 2. the leader says how the group is called, or that there is none; 3. each says whether it could join; 4. the leader
// says whether all could. So no process sums on its device while another does not. Used by one thread.
class DeviceRendezvous {
 public:
  struct Outcome {
    std::unique_ptr<DeviceGroup> group;  // null: there is none
    std::string refused;                 // and why
  };

  // `attempt`: the try of a step that it is a part of; `view`: of the same generation.
  DeviceRendezvous(Team* team, const TeamAttempt& attempt, const Team::View& view, const Device* device)
      : team_(team), attempt_(attempt), view_(view), places_(view.places()), device_(device) {}

  // Every process of the view meets in the same attempt; `refused`: why this one can't be in a group. Waits for the
  // others; ABORTED when somebody comes or goes.
  absl::StatusOr<Outcome> Meet(const std::string& refused);

 private:
  enum Step { kOffer, kDecision, kJoined, kVerdict };

  using Ask = std::function<absl::StatusOr<bool>()>;

  absl::StatusOr<Outcome> Lead(DeviceOffer own);
  absl::StatusOr<Outcome> Follow(const DeviceOffer& own);
  // Until the device is in the group, or `ended` says so. What it says: why it could not join, or "".
  absl::StatusOr<std::string> Join(const std::string& id, const Ask& ended, std::unique_ptr<DeviceGroup>* group);
  std::string NameOf(uint32_t place) const { return view_.processes[place].name(); }
  void Send(uint32_t place, Step step, const TeamDevices& devices);
  void SendToOthers(Step step, const TeamDevices& devices);
  absl::StatusOr<TeamDevices> Take(uint32_t place, Step step);
  // None: it is not there yet.
  absl::StatusOr<std::optional<TeamDevices>> TakeIfThere(uint32_t place, Step step);

  Team* const team_;
  const TeamAttempt attempt_;
  const Team::View view_;
  const std::vector<uint32_t> places_;
  const Device* const device_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_DEVICE_RENDEZVOUS_H_
