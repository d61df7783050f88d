// syncline-worker: leases data, pulls weights, computes gradients, pushes them.

#include <atomic>
#include <string>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/daemon/daemon.h"
#include "spdlog/spdlog.h"
#include "worker/worker.h"

ABSL_FLAG(std::string, coordinator, "", "host:port of the coordinator. Required.");
ABSL_FLAG(std::string, name, "", "Name shown in status, its own among the job's workers: one that starts by the name of one "
          "that died waits for its lease to end and takes its place. By default the host and process.");
ABSL_FLAG(std::string, device, "",
          "Where to compute: auto, cpu, cuda or cuda:N; by default what the job says.");
ABSL_FLAG(std::string, advertise, "",
          "pipeline, tensor_parallel, allreduce: host:port under which the others of its team reach this worker; by "
          "default the address it listens on (--listen).");
ABSL_FLAG(std::string, host, "",
          "hierarchical, local_aggregation: the host whose workers add up their gradients first, if that is not the one "
          "this worker runs on: hosts of one rack may say the same, and parts of one machine different things.");
ABSL_FLAG(int, threads, 0, "Compute threads on a CPU; 0 takes the job's worker_threads.");
ABSL_FLAG(int, io_threads, 0,
          "Threads that send and receive tensors, 1 or 2; 0: a quarter of the cores. More move more bytes "
          "and take more from computing.");
ABSL_FLAG(absl::Duration, step_delay, absl::ZeroDuration(),
          "A wait before each step, to see what a slow worker does to the others.");

namespace {

constexpr char kUsage[] =
    "A training worker: joins a cluster, computes gradients on its share of the data.\n"
    "  syncline-worker --coordinator=HOST:PORT [--device=auto] [--flagfile=FILE]";

constexpr char kAtRisk[] =
    "What it computes for the step under way is lost: the job waits for its lease to end, and has others do it.";

absl::Status Run(const syncline::DaemonOptions& daemon) {
  std::atomic<bool> stop{false};
  std::atomic<bool> finished{false};
  syncline::WorkerOptions options;
  options.coordinator = absl::GetFlag(FLAGS_coordinator);
  options.name = absl::GetFlag(FLAGS_name);
  options.security = daemon.security;
  options.device = absl::GetFlag(FLAGS_device);
  options.listen = daemon.listen;
  options.advertise = absl::GetFlag(FLAGS_advertise);
  options.host = absl::GetFlag(FLAGS_host);
  options.threads = absl::GetFlag(FLAGS_threads);
  options.io_threads = absl::GetFlag(FLAGS_io_threads);
  options.step_delay = absl::GetFlag(FLAGS_step_delay);
  options.page_host = daemon.listen.substr(0, daemon.listen.rfind(':'));
  options.http_port = daemon.http_port;
  options.stop = [&] { return stop.load(); };
  absl::Status ports;
  options.serving = [&](const std::string& http) {
    ports = syncline::WritePortFile(daemon.port_file, "", http);
  };
  if (options.coordinator.empty()) {
    return absl::InvalidArgumentError("--coordinator is missing: give its host:port");
  }
  if (options.io_threads < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--io_threads is ", options.io_threads, ": it must be 0 or more"));
  }
  std::thread signals([&] {
    const int signal = syncline::WaitForSignal(kAtRisk, [&] { return finished.load(); });
    if (signal == 0) return;
    spdlog::info("stopping after this step");
    stop = true;
  });
  const absl::Status status = syncline::RunWorker(options);
  finished = true;
  signals.join();
  return status.ok() ? ports : status;
}

}  // namespace

int main(int argc, char** argv) {
  return syncline::ExitCode(Run(syncline::InitDaemon(argc, argv, "syncline-worker", kUsage)));
}
