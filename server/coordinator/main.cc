// syncline-coordinator: knows who is in the cluster and who trains on what.

#include <string.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/config/flags.h"
#include "common/config/manifest.h"
#include "common/daemon/daemon.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_server.h"
#include "spdlog/spdlog.h"

ABSL_FLAG(std::string, job, "",
          "The job manifest, YAML. Required. Every field has a flag of its own that overrides it.");
ABSL_FLAG(std::string, restore, "",
          "A checkpoint to continue from: its folder, or latest for the newest in "
          "checkpoint.directory.");
ABSL_FLAG(std::string, metadata, "",
          "What keeps who is in the job and who trains on what, for a coordinator that takes this one's "
          "place: a folder, or etcd://HOST:PORT[,HOST:PORT...][/PREFIX]. A second coordinator with the "
          "same one stands by. By default the folder `coordinator` in checkpoint.directory; none keeps "
          "nothing.");
ABSL_FLAG(bool, exit_when_finished, false,
          "End once the job has, in place of answering `syncline status` until told to stop.");
ABSL_FLAG(absl::Duration, member_lease, absl::Seconds(3),
          "A worker or shard not heard of for this long is lost.");
ABSL_FLAG(absl::Duration, load_interval, absl::Seconds(5),
          "Over how long it is measured what shards have to do, from 100ms to 1h. With rebalance auto, chunks move when "
          "shards were uneven for three times as long.");
ABSL_FLAG(uint64_t, lease_steps, 256, "Steps leased ahead of a worker, from 1 to 1000000.");

namespace {

constexpr char kUsage[] =
    "Coordinates a training job: who is there, who trains on what, when to checkpoint and stop.\n"
    "  syncline-coordinator --job=FILE [--listen=HOST:PORT] [--restore=DIR|latest] "
    "[--flagfile=FILE]";

constexpr char kAtRisk[] =
    "The last checkpoint may be missing: what was trained since the one before is lost, unless a coordinator "
    "is started with the same --job and --metadata.";

// What is wrong with the flags or the job.
absl::StatusOr<syncline::CoordinatorServer::Options> ReadOptions(
    const syncline::DaemonOptions& daemon) {
  syncline::CoordinatorServer::Options options;
  const std::string job = absl::GetFlag(FLAGS_job);
  if (job.empty()) return absl::InvalidArgumentError("--job is missing: give the manifest's file");
  SYNCLINE_ASSIGN_OR_RETURN(options.job,
                            syncline::LoadManifest(job, syncline::ManifestOverrides()));
  options.listen = daemon.listen;
  options.http_port = daemon.http_port;
  options.security = daemon.security;
  // The shards read it too, and stand elsewhere.
  options.restore = absl::GetFlag(FLAGS_restore);
  if (!options.restore.empty() && options.restore != "latest") {
    options.restore = std::filesystem::absolute(options.restore).lexically_normal().string();
  }
  options.metadata = absl::GetFlag(FLAGS_metadata);
  if (options.metadata.empty() && !options.job.checkpoint().directory().empty()) {
    options.metadata = options.job.checkpoint().directory() + "/coordinator";
  }
  if (options.metadata == "none") options.metadata.clear();
  options.stop = [] { return syncline::WaitForSignal("Nothing is lost.", [] { return true; }) != 0; };
  // The job is another's by now, so there is nothing to bring to an end.
  options.deposed = [](const absl::Status& why) { syncline::EndNow(std::string(why.message())); };
  options.member_lease = absl::GetFlag(FLAGS_member_lease);
  options.lease_steps = absl::GetFlag(FLAGS_lease_steps);
  if (options.member_lease < absl::Milliseconds(100) || options.member_lease > absl::Hours(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--member_lease is ", absl::FormatDuration(options.member_lease),
                     ": it must be from 100ms to 1h"));
  }
  options.load_interval = absl::GetFlag(FLAGS_load_interval);
  if (options.load_interval < absl::Milliseconds(100) || options.load_interval > absl::Hours(1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--load_interval is ", absl::FormatDuration(options.load_interval),
                     ": it must be from 100ms to 1h"));
  }
  if (options.lease_steps < 1 || options.lease_steps > 1000000) {
    return absl::InvalidArgumentError(absl::StrCat("--lease_steps is ", options.lease_steps,
                                                   ": it must be from 1 to 1000000"));
  }
  return options;
}

absl::Status Run(const syncline::DaemonOptions& daemon,
                 const syncline::CoordinatorServer::Options& options) {
  const auto started = syncline::CoordinatorServer::Start(options);
  if (absl::IsCancelled(started.status())) {
    spdlog::info("{}", std::string(started.status().message()));
    return absl::OkStatus();
  }
  SYNCLINE_RETURN_IF_ERROR(started.status());
  const auto& server = *started;
  SYNCLINE_RETURN_IF_ERROR(
      syncline::WritePortFile(daemon.port_file, server->address(), server->http_address()));
  spdlog::info("job {} on {}", options.job.name(), server->address());
  const bool end = absl::GetFlag(FLAGS_exit_when_finished);
  const int signal = syncline::WaitForSignal(kAtRisk, [&] { return end && server->finished(); });
  if (signal == 0) {
    spdlog::info("the job has ended");
    return absl::OkStatus();
  }
  spdlog::info("{}: draining", strsignal(signal));
  SYNCLINE_ASSIGN_OR_RETURN(const auto drained, server->Drain());
  if (!drained.checkpoint().empty()) spdlog::info("last checkpoint: {}", drained.checkpoint());
  return absl::OkStatus();
}

}  // namespace

int main(int argc, char** argv) {
  const syncline::DaemonOptions daemon =
      syncline::InitDaemon(argc, argv, "syncline-coordinator", kUsage);
  const auto options = ReadOptions(daemon);
  if (!options.ok()) {
    std::fprintf(stderr, "%s\n", std::string(options.status().message()).c_str());
    return 2;
  }
  return syncline::ExitCode(Run(daemon, *options));
}
