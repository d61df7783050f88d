#ifndef SYNCLINE_WORKER_WORKER_H_
#define SYNCLINE_WORKER_WORKER_H_

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "common/rpc/security.h"

namespace syncline {

// A whole worker in one call: what syncline-worker runs, and tests too.
struct WorkerOptions {
  std::string coordinator;  // host:port
  std::string name;         // its own among the job's workers; empty: host and process
  SecurityOptions security;
  std::string device;  // auto, cpu, cuda or cuda:N; empty: the job's
  int threads = 0;     // of a CPU; 0: the job's
  int io_threads = 0;  // ClientOptions::io_threads
  // pipeline: where it takes messages of the other stages, host:port, and where those reach it, if that differs.
  std::string listen = "127.0.0.1:0";
  std::string advertise;
  // local_aggregation: adds up only with workers that say the same, for tests of several hosts on one.
  std::string host_part;
  absl::Duration step_delay;
  std::string page_host = "127.0.0.1";
  int http_port = -1;  // of the status page; -1: none
  // Told where the page is, once.
  std::function<void(const std::string& http_address)> serving;
  // Asked between steps: true ends the run in good order.
  std::function<bool()> stop;
};

// Joins the cluster, trains until there is nothing left to do or `stop`, and leaves. Joins again
// when the cluster gave this worker up meanwhile. Blocks.
absl::Status RunWorker(const WorkerOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_WORKER_H_
