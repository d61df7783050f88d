// Simulates clusters of many sizes: prints a table, one row for each policy, number of workers and number
// of shards, and with --json=FILE writes the same. All costs are flags; docs/scaling.md says where the defaults
// come from, and check.py how well the simulation agrees with real runs.

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/flags/parse.h"
#include "absl/flags/usage.h"
#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "tests/bench/scale_sim/cluster_model.h"

using Names = std::vector<std::string>;

ABSL_FLAG(Names, modes, Names({"sync", "bounded", "async"}), "Policies: sync, bounded, async.");
ABSL_FLAG(Names, workers, Names({"1", "10", "100", "1000", "10000"}), "Numbers of workers.");
ABSL_FLAG(Names, shards, Names({"1", "10", "100", "1000"}), "Numbers of shards.");
ABSL_FLAG(int, staleness, 3, "bounded: steps ahead of the slowest.");
ABSL_FLAG(double, backup_share, 0, "sync: share of the workers that a step does not wait for.");
ABSL_FLAG(int, workers_a_host, 1, "Workers that add up their gradients before one push.");
ABSL_FLAG(int, push_parts, 4, "A step's gradient leaves in so many parts while backward goes on.");
ABSL_FLAG(double, backward_share, 0.667, "Of compute_ms: two of a linear layer's three products.");
ABSL_FLAG(int, steps, 20, "Steps simulated of each worker.");
ABSL_FLAG(double, model_mb, 100, "Weights, in 10^6 bytes of float32.");
ABSL_FLAG(double, push_share, 1, "Bytes of a coded gradient, of those of float32.");
ABSL_FLAG(double, pull_share, 1, "The same for weights.");
ABSL_FLAG(double, compute_ms, 100, "Forward and backward of a batch.");
ABSL_FLAG(double, straggling, 0.05, "Standard deviation of the logarithm of compute_ms.");
ABSL_FLAG(double, slow_share, 0.01, "Share of steps that take slow_factor times as long.");
ABSL_FLAG(double, slow_factor, 3, "See slow_share.");
ABSL_FLAG(double, gbit, 25, "Each host's card, each way; 0: no network.");
ABSL_FLAG(double, latency_us, 20, "One way.");
ABSL_FLAG(double, shard_message_us, 20, "Of a core, for a push, pull or commit.");
ABSL_FLAG(double, worker_message_us, 20, "The same at the worker.");
ABSL_FLAG(double, shard_byte_ns, 0.25, "Of a core, to receive or send a byte.");
ABSL_FLAG(double, worker_byte_ns, 0.25, "The same at the worker.");
ABSL_FLAG(double, apply_byte_ns, 0.1, "Of a core, to add up and apply a byte of gradient.");
ABSL_FLAG(double, encode_byte_ns, 0.2, "Of a core, to encode or decode a byte of float32.");
ABSL_FLAG(double, add_byte_ns, 0.1, "Of a core, to add up a byte of a gradient on the host.");
ABSL_FLAG(int, shard_cores, 16, "Of each shard's host.");
ABSL_FLAG(int, worker_cores, 4, "Of each worker.");
ABSL_FLAG(int, shard_threads, 0, "That serve messages, of each shard; 0: as syncline-ps chooses.");
ABSL_FLAG(int, worker_threads, 0, "The same of each worker; 0: as syncline-worker chooses.");
ABSL_FLAG(int, one_host_cores, 0, "Above 0: all run on one host of so many cores.");
ABSL_FLAG(std::string, json, "", "Also writes the rows here.");

namespace syncline {
namespace {

ClusterCosts Costs() {
  ClusterCosts costs;
  costs.compute_seconds = absl::GetFlag(FLAGS_compute_ms) * 1e-3;
  costs.straggling = absl::GetFlag(FLAGS_straggling);
  costs.slow_share = absl::GetFlag(FLAGS_slow_share);
  costs.slow_factor = absl::GetFlag(FLAGS_slow_factor);
  costs.shard_message = absl::GetFlag(FLAGS_shard_message_us) * 1e-6;
  costs.worker_message = absl::GetFlag(FLAGS_worker_message_us) * 1e-6;
  costs.shard_byte = absl::GetFlag(FLAGS_shard_byte_ns) * 1e-9;
  costs.worker_byte = absl::GetFlag(FLAGS_worker_byte_ns) * 1e-9;
  costs.apply_byte = absl::GetFlag(FLAGS_apply_byte_ns) * 1e-9;
  costs.encode_byte = absl::GetFlag(FLAGS_encode_byte_ns) * 1e-9;
  costs.add_byte = absl::GetFlag(FLAGS_add_byte_ns) * 1e-9;
  costs.bandwidth = absl::GetFlag(FLAGS_gbit) * 1e9 / 8;
  costs.latency = absl::GetFlag(FLAGS_latency_us) * 1e-6;
  costs.shard_cores = absl::GetFlag(FLAGS_shard_cores);
  costs.worker_cores = absl::GetFlag(FLAGS_worker_cores);
  costs.shard_threads = absl::GetFlag(FLAGS_shard_threads);
  costs.worker_threads = absl::GetFlag(FLAGS_worker_threads);
  costs.one_host_cores = absl::GetFlag(FLAGS_one_host_cores);
  return costs;
}

absl::StatusOr<SyncMode> ModeOf(const std::string& name) {
  SyncMode mode;
  if (SyncMode_Parse(absl::AsciiStrToUpper(name), &mode) && mode != SYNC_MODE_UNSPECIFIED) {
    return mode;
  }
  return absl::InvalidArgumentError("--modes: " + name + " is none of sync, bounded, async");
}

absl::StatusOr<int> NumberOf(const char* flag, const std::string& text) {
  int number;
  if (absl::SimpleAtoi(text, &number)) return number;
  return absl::InvalidArgumentError(absl::StrFormat("--%s: %s is no whole number", flag, text));
}

// One row of the table, and its JSON.
absl::StatusOr<std::string> Row(const ClusterCosts& costs, const std::string& mode,
                                const std::string& workers, const std::string& shards) {
  ClusterCase what;
  const auto parsed = ModeOf(mode);
  if (!parsed.ok()) return parsed.status();
  const auto n = NumberOf("workers", workers), s = NumberOf("shards", shards);
  if (!n.ok()) return n.status();
  if (!s.ok()) return s.status();
  what.mode = *parsed;
  what.workers = *n;
  what.shards = *s;
  what.staleness = absl::GetFlag(FLAGS_staleness);
  what.workers_a_host = std::min(absl::GetFlag(FLAGS_workers_a_host), what.workers);
  if (what.mode == SYNC) {
    what.backup_workers =
        static_cast<int>(absl::GetFlag(FLAGS_backup_share) * what.workers / what.workers_a_host);
  }
  what.model_bytes = absl::GetFlag(FLAGS_model_mb) * 1e6;
  what.push_share = absl::GetFlag(FLAGS_push_share);
  what.pull_share = absl::GetFlag(FLAGS_pull_share);
  what.push_parts = absl::GetFlag(FLAGS_push_parts);
  what.backward_share = absl::GetFlag(FLAGS_backward_share);
  what.steps = absl::GetFlag(FLAGS_steps);
  const auto speed = Simulate(costs, what);
  if (!speed.ok()) return speed.status();
  const double alone = what.workers / costs.compute_seconds;
  std::printf("%8s %8d %7d %12.3f %14.1f %10.0f %% %9.0f %%\n", mode.c_str(), what.workers,
              what.shards, 1e3 * speed->step_seconds, speed->worker_steps,
              100 * speed->worker_steps / alone, 100 * speed->shard_busy);
  std::fflush(stdout);
  return absl::StrFormat(
      "{\"mode\": \"%s\", \"workers\": %d, \"shards\": %d, \"step_ms\": %.4f, \"worker_steps\": "
      "%.2f, \"efficiency\": %.4f, \"shard_busy\": %.4f}",
      mode, what.workers, what.shards, 1e3 * speed->step_seconds, speed->worker_steps,
      speed->worker_steps / alone, speed->shard_busy);
}

absl::Status Run() {
  const ClusterCosts costs = Costs();
  std::printf("%8s %8s %7s %12s %14s %12s %11s\n", "mode", "workers", "shards", "step ms",
              "worker steps/s", "of ideal", "shard cores");
  std::string json;
  for (const std::string& mode : absl::GetFlag(FLAGS_modes)) {
    for (const std::string& workers : absl::GetFlag(FLAGS_workers)) {
      for (const std::string& shards : absl::GetFlag(FLAGS_shards)) {
        const auto row = Row(costs, mode, workers, shards);
        if (!row.ok()) return row.status();
        json += (json.empty() ? "[\n " : ",\n ") + *row;
      }
    }
  }
  if (absl::GetFlag(FLAGS_json).empty()) return absl::OkStatus();
  std::ofstream file(absl::GetFlag(FLAGS_json));
  file << json << "\n]\n";
  if (!file.flush()) {
    return absl::InvalidArgumentError("--json: cannot write " + absl::GetFlag(FLAGS_json));
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace syncline

int main(int argc, char** argv) {
  absl::SetProgramUsageMessage("Simulates clusters of many sizes; see docs/scaling.md.");
  absl::ParseCommandLine(argc, argv);
  const absl::Status run = syncline::Run();
  if (run.ok()) return 0;
  std::fprintf(stderr, "scale_sim: %s\n", std::string(run.message()).c_str());
  return 2;
}
