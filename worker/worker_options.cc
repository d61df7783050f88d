#include "worker/worker_options.h"

#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {

ClientOptions ClientOptionsOf(const WorkerOptions& options) {
  ClientOptions client;
  client.coordinator = options.coordinator;
  client.security = options.security;
  client.name = options.name;
  client.io_threads = options.io_threads;
  client.stop = options.stop;
  return client;
}

OpenDeviceOptions DeviceOptionsOf(const WorkerOptions& options, const JobManifest& job) {
  OpenDeviceOptions device;
  device.device = options.device.empty() ? job.device() : options.device;
  device.threads = options.threads > 0 ? options.threads : static_cast<int>(job.worker_threads());
  device.allow_tf32 = job.allow_tf32();
  device.allow_bf16 = job.allow_bf16();
  return device;
}

absl::StatusOr<std::unique_ptr<Device>> OpenWorkerDevice(const WorkerOptions& options,
                                                        const JobManifest& job, int place) {
  std::string note;
  OpenDeviceOptions open = DeviceOptionsOf(options, job);
  open.place = place;
  SYNCLINE_ASSIGN_OR_RETURN(auto device, OpenDevice(open, &note));
  if (!note.empty()) spdlog::info("{}", note);
  device->LimitMemory(job.memory_limit());
  return device;
}

}  // namespace syncline
