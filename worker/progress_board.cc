#include "worker/progress_board.h"

namespace syncline {

std::vector<Metric> ProgressBoard::Metrics() const {
  absl::MutexLock lock(&mu_);
  const WorkerProgress& p = progress_;
  const auto counter = [](const char* name, const char* help, double value) {
    return Metric{name, help, Metric::Kind::kCounter, {}, value};
  };
  return {
      counter("syncline_worker_clock", "Steps committed.", static_cast<double>(p.clock())),
      counter("syncline_worker_samples_total", "Samples trained on.",
              static_cast<double>(p.samples())),
      counter("syncline_worker_loss_total", "Loss summed over samples.", p.loss_sum()),
      counter("syncline_worker_compute_seconds_total", "Seconds computing gradients.",
              p.compute_seconds()),
      counter("syncline_worker_pull_wait_seconds_total", "Seconds waiting for weights.",
              p.pull_wait_seconds()),
      counter("syncline_worker_push_wait_seconds_total", "Seconds waiting for acknowledgements.",
              p.push_wait_seconds()),
      counter("syncline_worker_communication_seconds_total",
              "Seconds with a pull, push or commit under way; less the waits, what computing hid.",
              p.communication_seconds()),
      counter("syncline_worker_cached_rows_wanted_total", "Rows asked for of tables that have a cache.",
              static_cast<double>(p.cached_rows_wanted())),
      counter("syncline_worker_cached_rows_found_total", "Those of them that were in it.",
              static_cast<double>(p.cached_rows_found())),
  };
}

}  // namespace syncline
