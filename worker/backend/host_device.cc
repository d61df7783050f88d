#include "worker/backend/host_device.h"

#include <cstdlib>
#include <cstring>

#include "worker/backend/error.h"

namespace syncline {

struct BackendEvent {};

namespace {

constexpr size_t kAlignment = 64;

int DeviceCount(int* count) {
  *count = 1;
  return kBackendOk;
}

int OpenDevice(const BackendOptions* options, BackendDevice** device) {
  if (options->ordinal != 0) {
    return BackendFail(kBackendInvalid, "there is one host device, 0, but %d was asked for",
                       options->ordinal);
  }
  if (options->threads < 1) {
    return BackendFail(kBackendInvalid, "threads is %d; it must be at least 1", options->threads);
  }
  *device = new BackendDevice{*options};
  return kBackendOk;
}

void CloseDevice(BackendDevice* device) { delete device; }

int Allocate(BackendDevice*, size_t bytes, void** memory) {
  const size_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
  *memory = rounded < bytes ? nullptr : std::aligned_alloc(kAlignment, rounded + kAlignment);
  if (*memory == nullptr) {
    return BackendFail(kBackendOutOfMemory, "no %zu bytes of host memory left", bytes);
  }
  std::memset(*memory, 0, rounded);
  return kBackendOk;
}

void Release(BackendDevice*, void* memory) { std::free(memory); }

int Copy(BackendDevice*, int, void* to, const void* from, size_t bytes) {
  if (bytes > 0) std::memmove(to, from, bytes);
  return kBackendOk;
}

int CreateEvent(BackendDevice*, BackendEvent** event) {
  *event = new BackendEvent;
  return kBackendOk;
}

void DestroyEvent(BackendDevice*, BackendEvent* event) { delete event; }

int QueryEvent(BackendDevice*, BackendEvent*, int* done) {
  *done = 1;
  return kBackendOk;
}

}  // namespace

Backend HostBackend() {
  Backend table = {};
  table.version = kBackendVersion;
  table.size = sizeof(Backend);
  table.host_memory = 1;
  table.last_error = LastBackendError;
  table.device_count = DeviceCount;
  table.open_device = OpenDevice;
  table.close_device = CloseDevice;
  table.allocate = Allocate;
  table.release = Release;
  table.allocate_host = Allocate;
  table.release_host = Release;
  table.pin_host = [](BackendDevice*, void*, size_t) -> int { return kBackendOk; };
  table.unpin_host = [](BackendDevice*, void*) {};
  table.copy = Copy;
  table.create_event = CreateEvent;
  table.destroy_event = DestroyEvent;
  table.record_event = [](BackendDevice*, BackendEvent*, int) -> int { return kBackendOk; };
  table.query_event = QueryEvent;
  table.wait_event = [](BackendDevice*, BackendEvent*) -> int { return kBackendOk; };
  table.stream_wait_event = [](BackendDevice*, int, BackendEvent*) -> int { return kBackendOk; };
  table.synchronize = [](BackendDevice*) -> int { return kBackendOk; };
  return table;
}

}  // namespace syncline
