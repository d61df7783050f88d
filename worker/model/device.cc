#include "worker/model/device.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::Status MakeStatus(const Backend& backend, const std::string& where, int code) {
  const std::string message = absl::StrCat(where, ": ", backend.last_error());
  switch (code) {
    case kBackendInvalid:
      return absl::InvalidArgumentError(message);
    case kBackendOutOfMemory:
      return absl::ResourceExhaustedError(message);
    case kBackendGroupFailed:
      return absl::UnavailableError(message);
    default:
      return absl::InternalError(message);
  }
}

std::string DeviceName(const Backend& backend, int ordinal) {
  if (backend.host_memory) return backend.name;
  return absl::StrCat(backend.name, ":", ordinal);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Device>> Device::Open(const Backend* backend,
                                                     BackendOptions options) {
  BackendDevice* device = nullptr;
  std::string name = DeviceName(*backend, options.ordinal);
  const int code = backend->open_device(&options, &device);
  if (code != kBackendOk) return MakeStatus(*backend, name, code);
  return std::unique_ptr<Device>(new Device(backend, device, std::move(name)));
}

Device::Device(const Backend* backend, BackendDevice* device, std::string name)
    : backend_(backend), device_(device), name_(std::move(name)) {}

Device::~Device() { backend_->close_device(device_); }

std::string Device::Describe() const {
  char text[256] = "";
  if (backend_->describe(device_, text, sizeof(text)) != kBackendOk) return name_;
  return absl::StrCat(name_, " (", text, ")");
}

absl::Status Device::ToStatus(int code) const {
  return code == kBackendOk ? absl::OkStatus() : MakeStatus(*backend_, name_, code);
}

absl::Status Device::Reserve(size_t bytes) const {
  if (limit_ > 0 && allocated_ + bytes > limit_) {
    return absl::ResourceExhaustedError(absl::StrCat(
        name_, ": ", allocated(), " bytes are in use and ", bytes, " more are needed, over the limit of ",
        limit_));
  }
  allocated_ += bytes;
  return absl::OkStatus();
}

absl::StatusOr<DeviceMemory> DeviceMemory::Allocate(const Device* device, size_t bytes,
                                                    Place place) {
  DeviceMemory memory;
  const bool counts = place == Place::kDevice || device->host_memory();
  SYNCLINE_RETURN_IF_ERROR(device->Reserve(counts ? bytes : 0));
  memory.reserved_ = counts ? bytes : 0;
  const auto allocate =
      place == Place::kDevice ? device->backend().allocate : device->backend().allocate_host;
  const int code = allocate(device->device_, bytes, &memory.data_);
  if (code != kBackendOk) {
    device->allocated_ -= memory.reserved_;
    return device->ToStatus(code);
  }
  memory.device_ = device;
  memory.bytes_ = bytes;
  memory.place_ = place;
  return memory;
}

absl::StatusOr<DeviceMemory> DeviceMemory::Adopt(const Device* device,
                                                 std::shared_ptr<void> memory, size_t bytes) {
  const size_t reserved = device->host_memory() ? bytes : 0;
  SYNCLINE_RETURN_IF_ERROR(device->Reserve(reserved));
  const int code = device->backend().pin_host(device->device_, memory.get(), bytes);
  if (code != kBackendOk) {
    device->allocated_ -= reserved;
    return device->ToStatus(code);
  }
  DeviceMemory adopted;
  adopted.reserved_ = reserved;
  adopted.device_ = device;
  adopted.data_ = memory.get();
  adopted.bytes_ = bytes;
  adopted.place_ = Place::kHost;
  adopted.adopted_ = std::move(memory);
  return adopted;
}

absl::StatusOr<DeviceMemory> DeviceMemory::AdoptOrAllocate(const Device* device, std::shared_ptr<void> memory,
                                                           size_t bytes) {
  if (memory != nullptr) return Adopt(device, std::move(memory), bytes);
  return Allocate(device, bytes, Place::kHost);
}

DeviceMemory::~DeviceMemory() {
  if (device_ == nullptr) return;
  device_->allocated_ -= reserved_;
  const Backend& backend = device_->backend();
  if (adopted_ != nullptr) {
    backend.unpin_host(device_->device_, data_);
    return;
  }
  (place_ == Place::kDevice ? backend.release : backend.release_host)(device_->device_, data_);
}

DeviceMemory::DeviceMemory(DeviceMemory&& other) noexcept { *this = std::move(other); }

DeviceMemory& DeviceMemory::operator=(DeviceMemory&& other) noexcept {
  std::swap(device_, other.device_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  std::swap(reserved_, other.reserved_);
  std::swap(place_, other.place_);
  std::swap(adopted_, other.adopted_);
  return *this;
}

absl::StatusOr<Event> Event::Create(const Device* device) {
  BackendEvent* event = nullptr;
  const int code = device->backend().create_event(device->device_, &event);
  if (code != kBackendOk) return device->ToStatus(code);
  return Event(device, event);
}

Event::~Event() {
  if (event_ != nullptr) device_->backend().destroy_event(device_->device_, event_);
}

Event::Event(Event&& other) noexcept
    : device_(other.device_), event_(std::exchange(other.event_, nullptr)) {}

absl::Status Event::Record(BackendStream stream) {
  return device_->Run(&Backend::record_event, event_, stream);
}

absl::Status Event::Delay(BackendStream stream) {
  return device_->Run(&Backend::stream_wait_event, stream, event_);
}

absl::StatusOr<bool> Event::Done() {
  int done = 0;
  const absl::Status status = device_->Run(&Backend::query_event, event_, &done);
  if (!status.ok()) return status;
  return done != 0;
}

absl::Status Event::Wait() { return device_->Run(&Backend::wait_event, event_); }

}  // namespace syncline
