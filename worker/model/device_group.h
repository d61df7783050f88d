#ifndef SYNCLINE_WORKER_MODEL_DEVICE_GROUP_H_
#define SYNCLINE_WORKER_MODEL_DEVICE_GROUP_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "worker/backend/groups.h"
#include "worker/model/device.h"

namespace syncline {

// A device's part in a group of devices of several processes (worker/backend/groups.h): the C functions with
// ownership and absl::Status. UNAVAILABLE when the group has failed, and the device has not.
//
// Used by its device's thread. Goes before its device.
class DeviceGroup {
 public:
  using Part = BackendGroupPart;

  // What groups are made with, "NCCL 2.28.9". FAILED_PRECONDITION where there is nothing, and why.
  static absl::StatusOr<std::string> Means(const Device* device);
  // Where the device is: the same for no two of a host.
  static absl::StatusOr<std::string> Location(const Device* device);
  // Names a new group.
  static absl::StatusOr<std::string> NewId(const Device* device);
  // `id`: what NewId gave to one of them.
  static absl::StatusOr<std::unique_ptr<DeviceGroup>> Join(const Device* device, const std::string& id, int ranks,
                                                           int rank);
  // Gives up what is under way, without waiting for others.
  ~DeviceGroup();
  DeviceGroup(const DeviceGroup&) = delete;
  DeviceGroup& operator=(const DeviceGroup&) = delete;

  // Whether what was called up to now has been submitted to kGroupStream. Only then the next call, or an event.
  absl::StatusOr<bool> Ready();
  // Each part becomes the sum of that of all devices, where its root is.
  absl::Status Reduce(absl::Span<const Part> parts);
  // Each part becomes what its root has.
  absl::Status Broadcast(absl::Span<const Part> parts);

 private:
  DeviceGroup(const Device* device, BackendGroup* group) : device_(device), group_(group) {}
  const BackendGroups& table() const { return *device_->backend().groups; }

  const Device* const device_;
  BackendGroup* const group_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_DEVICE_GROUP_H_
