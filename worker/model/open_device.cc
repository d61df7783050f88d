#include "worker/model/open_device.h"

#include "worker/backend/loader.h"

namespace syncline {

absl::StatusOr<std::unique_ptr<Device>> OpenDevice(const OpenDeviceOptions& options,
                                                   std::string* note) {
  LoadedBackend loaded;
  std::string error;
  if (!LoadBackend({options.device, options.directory, options.place}, &loaded, &error)) {
    return absl::InvalidArgumentError(error);
  }
  if (note != nullptr) *note = loaded.note;
  return Device::Open(loaded.backend, {loaded.ordinal, options.threads, options.allow_tf32 ? 1 : 0,
                                       options.allow_bf16 ? 1 : 0});
}

}  // namespace syncline
