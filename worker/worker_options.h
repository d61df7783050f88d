#ifndef SYNCLINE_WORKER_WORKER_OPTIONS_H_
#define SYNCLINE_WORKER_WORKER_OPTIONS_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"
#include "proto/job.pb.h"
#include "worker/client/client.h"
#include "worker/model/open_device.h"

namespace syncline {

// How a worker runs: what syncline-worker is told by flags.
struct WorkerOptions {
  std::string coordinator;  // host:port
  std::string name;         // its own among the job's workers; empty: host and process
  SecurityOptions security;
  std::string device;  // auto, cpu, cuda or cuda:N; empty: the job's
  int threads = 0;     // of a CPU; 0: the job's
  int io_threads = 0;  // ClientOptions::io_threads
  // Teams: where it takes messages of the others, host:port, and where those reach it, if that differs.
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  // Which host it counts itself to, where workers add up within hosts first; empty: the one it runs on. Workers of one
  // host that say different things are as if on several.
  std::string host;
  absl::Duration step_delay;
  std::string page_host = "127.0.0.1";
  int http_port = -1;  // of the status page; -1: none
  // Told where the page is, once.
  std::function<void(const std::string& http_address)> serving;
  // Asked between steps: true ends the run in good order.
  std::function<bool()> stop;
};

// What of that is for its client, and for its device.
ClientOptions ClientOptionsOf(const WorkerOptions& options);
OpenDeviceOptions DeviceOptionsOf(const WorkerOptions& options, const JobManifest& job);
// The device, with the job's limit of memory. `place`: OpenDeviceOptions.
absl::StatusOr<std::unique_ptr<Device>> OpenWorkerDevice(const WorkerOptions& options,
                                                        const JobManifest& job, int place = 0);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_WORKER_OPTIONS_H_
