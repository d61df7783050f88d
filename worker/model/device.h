#ifndef SYNCLINE_WORKER_MODEL_DEVICE_H_
#define SYNCLINE_WORKER_MODEL_DEVICE_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "worker/backend/backend.h"

namespace syncline {

// An open device of a backend: the C table with ownership and absl::Status.
//
//   SYNCLINE_ASSIGN_OR_RETURN(std::unique_ptr<Device> device, Device::Open(CpuBackend(), {}));
//   SYNCLINE_RETURN_IF_ERROR(device->Run(&Backend::column_sum, rows, cols, 0, x, sum));
//
// Used by one thread at a time (worker/backend/backend.h). Must outlive what it allocated.
class Device {
 public:
  // `backend` must live as long as the process: CpuBackend() or what the loader returned.
  static absl::StatusOr<std::unique_ptr<Device>> Open(const Backend* backend,
                                                      BackendOptions options = {0, 1, 0, 0});
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  // Calls one function of the table on this device.
  template <typename... Parameters, typename... Arguments>
  absl::Status Run(int (*Backend::*function)(BackendDevice*, Parameters...),
                   Arguments... arguments) const {
    return ToStatus((backend_->*function)(device_, arguments...));
  }

  // Whether device memory can be read and written by the host, every call being synchronous.
  bool host_memory() const { return backend_->host_memory != 0; }
  const Backend& backend() const { return *backend_; }
  // "cuda:1", "cpu".
  const std::string& name() const { return name_; }
  // A line for logs about what it is.
  std::string Describe() const;

  // Bytes of DeviceMemory there are: on the device, or on the host where both are one.
  size_t allocated() const { return allocated_; }
  // From here on more than that is refused with RESOURCE_EXHAUSTED; 0: whatever there is.
  void LimitMemory(size_t bytes) { limit_ = bytes; }

 private:
  friend class DeviceMemory;
  friend class Event;
  friend class DeviceGroup;

  Device(const Backend* backend, BackendDevice* device, std::string name);
  absl::Status ToStatus(int code) const;
  absl::Status Reserve(size_t bytes) const;

  const Backend* const backend_;
  BackendDevice* const device_;
  const std::string name_;
  mutable std::atomic<size_t> allocated_{0};
  size_t limit_ = 0;
};

// A block of memory, on the device or (pinned) on the host. Movable.
class DeviceMemory {
 public:
  enum class Place { kDevice, kHost };

  DeviceMemory() = default;
  // Zero-filled.
  static absl::StatusOr<DeviceMemory> Allocate(const Device* device, size_t bytes,
                                               Place place = Place::kDevice);
  // Host memory from elsewhere, kept until this object goes.
  static absl::StatusOr<DeviceMemory> Adopt(const Device* device, std::shared_ptr<void> memory,
                                            size_t bytes);
  // The same, or host memory of its own, where `memory` is null.
  static absl::StatusOr<DeviceMemory> AdoptOrAllocate(const Device* device, std::shared_ptr<void> memory,
                                                      size_t bytes);
  ~DeviceMemory();
  DeviceMemory(DeviceMemory&& other) noexcept;
  DeviceMemory& operator=(DeviceMemory&& other) noexcept;

  void* data() const { return data_; }
  float* floats() const { return static_cast<float*>(data_); }
  size_t bytes() const { return bytes_; }

 private:
  const Device* device_ = nullptr;
  void* data_ = nullptr;
  size_t bytes_ = 0;
  size_t reserved_ = 0;  // of what its device counts
  Place place_ = Place::kDevice;
  std::shared_ptr<void> adopted_;
};

// A point in a stream of a device. Movable.
class Event {
 public:
  static absl::StatusOr<Event> Create(const Device* device);
  ~Event();
  Event(Event&& other) noexcept;
  Event& operator=(Event&& other) = delete;

  // Moves it to the end of what has been submitted to `stream`.
  absl::Status Record(BackendStream stream);
  // Makes what is submitted to `stream` from now on wait for it.
  absl::Status Delay(BackendStream stream);
  // Whether it was reached.
  absl::StatusOr<bool> Done();
  // Blocks this thread until it is reached.
  absl::Status Wait();

 private:
  Event(const Device* device, BackendEvent* event) : device_(device), event_(event) {}

  const Device* device_;
  BackendEvent* event_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_DEVICE_H_
