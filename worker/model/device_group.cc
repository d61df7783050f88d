#include "worker/model/device_group.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {

absl::StatusOr<std::string> DeviceGroup::Means(const Device* device) {
  const BackendGroups* groups = device->backend().groups;
  if (groups == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(device->name(), " has no way to other devices"));
  }
  char text[64] = "";
  if (groups->describe(text, sizeof(text)) != kBackendOk) {
    return absl::FailedPreconditionError(device->backend().last_error());
  }
  return text;
}

absl::StatusOr<std::string> DeviceGroup::Location(const Device* device) {
  char text[64] = "";
  SYNCLINE_RETURN_IF_ERROR(
      device->ToStatus(device->backend().groups->locate(device->device_, text, sizeof(text))));
  return text;
}

absl::StatusOr<std::string> DeviceGroup::NewId(const Device* device) {
  std::string id(kBackendGroupIdBytes, '\0');
  SYNCLINE_RETURN_IF_ERROR(device->ToStatus(device->backend().groups->make_id(device->device_, &id[0])));
  return id;
}

absl::StatusOr<std::unique_ptr<DeviceGroup>> DeviceGroup::Join(const Device* device, const std::string& id, int ranks,
                                                               int rank) {
  if (id.size() != kBackendGroupIdBytes) {
    return absl::InvalidArgumentError(absl::StrCat("the name of a group of devices has ", id.size(),
                                                   " bytes; accepted: ", kBackendGroupIdBytes));
  }
  BackendGroup* group = nullptr;
  SYNCLINE_RETURN_IF_ERROR(
      device->ToStatus(device->backend().groups->join(device->device_, id.data(), ranks, rank, &group)));
  return std::unique_ptr<DeviceGroup>(new DeviceGroup(device, group));
}

DeviceGroup::~DeviceGroup() { table().leave(group_); }

absl::StatusOr<bool> DeviceGroup::Ready() {
  int ready = 0;
  SYNCLINE_RETURN_IF_ERROR(device_->ToStatus(table().ready(group_, &ready)));
  return ready != 0;
}

absl::Status DeviceGroup::Reduce(absl::Span<const Part> parts) {
  return device_->ToStatus(table().reduce(group_, parts.data(), parts.size()));
}

absl::Status DeviceGroup::Broadcast(absl::Span<const Part> parts) {
  return device_->ToStatus(table().broadcast(group_, parts.data(), parts.size()));
}

}  // namespace syncline
