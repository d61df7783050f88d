// libsyncline_cuda.so for tests on a machine without a GPU: it computes on the CPU, but says that the host can't
// reach its memory, has several devices and streams, and groups of devices in a file of TEST_TMPDIR. So workers of one
// process or of several load it and form groups as with GPUs and NCCL, one that is lost included.
//
// PRETEND_GPU_GROUPS: "none", there are no groups; "refused", nobody can join one; "N", a group fails at its Nth call.

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "tests/pretend_gpu/shared_group.h"
#include "tests/pretend_gpu/streams.h"
#include "worker/backend/cpu/cpu_backend.h"
#include "worker/backend/error.h"

namespace syncline {

struct BackendEvent {
  PretendStreams::Point point;
};

struct BackendGroup {
  PretendDevice* device = nullptr;
  std::shared_ptr<SharedGroup> group;
  uint64_t calls = 0;
};

namespace {

constexpr int kDevices = 8;

int OpenDevice(const BackendOptions* options, BackendDevice** device) {
  if (options->ordinal < 0 || options->ordinal >= kDevices) {
    return BackendFail(kBackendInvalid, "there is no pretended device %d", options->ordinal);
  }
  *device = new PretendDevice{{*options}, {}};
  return kBackendOk;
}

void CloseDevice(BackendDevice* device) { delete Pretend(device); }

int Copy(BackendDevice* device, int stream, void* to, const void* from, size_t bytes) {
  Pretend(device)->streams.Submit(stream, [=] {
    if (bytes > 0) std::memmove(to, from, bytes);
    return true;
  });
  return kBackendOk;
}

int RecordEvent(BackendDevice* device, BackendEvent* event, int stream) {
  event->point = Pretend(device)->streams.End(stream);
  return kBackendOk;
}

int QueryEvent(BackendDevice* device, BackendEvent* event, int* done) {
  *done = Pretend(device)->streams.Reached(event->point) ? 1 : 0;
  return kBackendOk;
}

int WaitEvent(BackendDevice* device, BackendEvent* event) {
  Pretend(device)->streams.Await(event->point);
  return kBackendOk;
}

int StreamWaitEvent(BackendDevice* device, int stream, BackendEvent* event) {
  PretendStreams* const streams = &Pretend(device)->streams;
  streams->Submit(stream, [streams, point = event->point] { return streams->Passed(point); });
  return kBackendOk;
}

int Synchronize(BackendDevice* device) {
  PretendStreams& streams = Pretend(device)->streams;
  for (int s = 0; s < PretendStreams::kStreams; ++s) streams.Await(streams.End(s));
  return kBackendOk;
}

std::string Mode() {
  const char* mode = std::getenv("PRETEND_GPU_GROUPS");
  return mode == nullptr ? "" : mode;
}

int DescribeGroups(char* text, size_t size) {
  if (Mode() == "none") return BackendFail(kBackendInvalid, "libpretended.so.2: it is not there");
  std::snprintf(text, size, "pretended sums");
  return kBackendOk;
}

int Locate(BackendDevice* device, char* text, size_t size) {
  std::snprintf(text, size, "slot %d", device->options.ordinal);
  return kBackendOk;
}

std::string PathOf(const char* id) { return std::string(std::getenv("TEST_TMPDIR")) + "/" + id; }

int MakeId(BackendDevice*, char* id) {
  static std::atomic<int> made{0};
  std::snprintf(id, kBackendGroupIdBytes, "group-%d-%d", static_cast<int>(getpid()), ++made);
  const int file = open(PathOf(id).c_str(), O_CREAT | O_EXCL | O_RDWR, 0600);
  if (file < 0) return BackendFail(kBackendGroupFailed, "no file %s", PathOf(id).c_str());
  close(file);
  return kBackendOk;
}

int Join(BackendDevice* device, const char* id, int ranks, int rank, BackendGroup** group) {
  if (Mode() == "refused") return BackendFail(kBackendGroupFailed, "rank %d can't join", rank);
  std::shared_ptr<SharedGroup> joined(SharedGroup::Open(PathOf(id), ranks, rank));
  if (joined == nullptr) return BackendFail(kBackendGroupFailed, "no group %s", id);
  *group = new BackendGroup{Pretend(device), std::move(joined), 0};
  return kBackendOk;
}

int Ready(BackendGroup* group, int* ready) {
  *ready = group->group->complete() ? 1 : 0;
  if (group->calls > 0 && std::to_string(group->calls) == Mode()) {
    return BackendFail(kBackendGroupFailed, "call %s went wrong", Mode().c_str());
  }
  return kBackendOk;
}

using Call = bool (SharedGroup::*)(uint64_t, const std::vector<BackendGroupPart>&);

int Submit(BackendGroup* group, const BackendGroupPart* parts, size_t count, Call call) {
  int ready = 0;
  if (const int code = Ready(group, &ready)) return code;
  if (!ready) return BackendFail(kBackendGroupFailed, "a call of a group that is not ready");
  if (!SharedGroup::Fits(parts, count)) return BackendFail(kBackendGroupFailed, "a call of too many floats");
  group->device->streams.Submit(
      kGroupStream, [call, group = group->group, number = ++group->calls,
                     all = std::vector<BackendGroupPart>(parts, parts + count)] {
        return ((*group).*call)(number, all);
      });
  return kBackendOk;
}

int Reduce(BackendGroup* group, const BackendGroupPart* parts, size_t count) {
  return Submit(group, parts, count, &SharedGroup::Reduce);
}

int Broadcast(BackendGroup* group, const BackendGroupPart* parts, size_t count) {
  return Submit(group, parts, count, &SharedGroup::Broadcast);
}

void Leave(BackendGroup* group) {
  group->device->streams.Clear(kGroupStream);
  delete group;
}

const BackendGroups kGroups = {DescribeGroups, Locate, MakeId, Join, Ready, Reduce, Broadcast, Leave};

Backend MakeTable() {
  Backend table = *CpuBackend();
  table.name = "cuda";
  table.host_memory = 0;
  table.device_count = [](int* count) -> int {
    *count = kDevices;
    return kBackendOk;
  };
  table.open_device = OpenDevice;
  table.close_device = CloseDevice;
  table.copy = Copy;
  table.create_event = [](BackendDevice*, BackendEvent** event) -> int {
    *event = new BackendEvent;
    return kBackendOk;
  };
  table.destroy_event = [](BackendDevice*, BackendEvent* event) { delete event; };
  table.record_event = RecordEvent;
  table.query_event = QueryEvent;
  table.wait_event = WaitEvent;
  table.stream_wait_event = StreamWaitEvent;
  table.synchronize = Synchronize;
  table.groups = &kGroups;
  return table;
}

}  // namespace
}  // namespace syncline

extern "C" const syncline::Backend* syncline_backend() {
  static const syncline::Backend table = syncline::MakeTable();
  return &table;
}
