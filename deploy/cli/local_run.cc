#include "deploy/cli/local_run.h"

#include <signal.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/io/file_system.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "deploy/cli/cluster_client.h"
#include "deploy/cli/line_display.h"
#include "deploy/cli/progress.h"
#include "deploy/cli/status_table.h"

namespace syncline {
namespace {

constexpr absl::Duration kPoll = absl::Milliseconds(200);

// The signal that came within `patience`, or 0.
int SignalWithin(absl::Duration patience) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  const timespec wait = absl::ToTimespec(patience);
  return std::max(sigtimedwait(&signals, nullptr, &wait), 0);
}

// Watches until the job is over; 0, or the signal that came first.
absl::StatusOr<int> Watch(LocalCluster* cluster, ClusterClient* client,
                          ClusterStatusReply* status) {
  LineDisplay display(absl::Seconds(2));
  while (true) {
    auto now = client->Status();
    if (now.ok()) {
      *status = *std::move(now);
      display.Show(ProgressLine(*status));
      if (status->phase() == ClusterStatusReply::FINISHED) break;
      if (status->phase() == ClusterStatusReply::TRAINING) {
        SYNCLINE_RETURN_IF_ERROR(cluster->Follow(status->rescale()));
      }
    }
    const auto killed = cluster->ReplaceKilled();
    const absl::Status members = killed.ok() ? cluster->CheckMembers() : killed.status();
    if (!members.ok()) {
      display.End();
      return members;
    }
    if (!killed->empty()) {
      display.End();
      std::printf("%s was killed: another one was started in its place\n", killed->c_str());
    }
    if (const int signal = SignalWithin(kPoll)) {
      display.End();
      return signal;
    }
  }
  display.End();
  return 0;
}

}  // namespace

absl::StatusOr<LocalCluster::Options> ReadLocalOptions(const LocalOptions& options,
                                                       const std::string& output) {
  if (options.file.empty()) {
    return absl::InvalidArgumentError("-f is missing: name the job's manifest");
  }
  LocalCluster::Options local;
  SYNCLINE_ASSIGN_OR_RETURN(local.job, LoadManifest(options.file, options.overrides));
  local.output = options.output;
  if (local.output.empty()) {
    local.output = absl::StrCat(output, local.job.name(), "-",
                                absl::FormatTime("%Y%m%d-%H%M%S", absl::Now(),
                                                 absl::LocalTimeZone()));
  }
  local.bin_dir = options.bin_dir;
  local.restore = options.restore;
  local.log_level = options.log_level;
  local.table_memory = options.table_memory;
  return local;
}

absl::StatusOr<int> RunToEnd(const LocalCluster::Options& given, ClusterStatusReply* status) {
  LocalCluster::Options options = given;
  if (options.job.checkpoint().directory().empty()) {
    options.job.mutable_checkpoint()->set_directory(absl::StrCat(options.output, "/checkpoints"));
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto cluster, LocalCluster::Start(options));
  SYNCLINE_ASSIGN_OR_RETURN(const auto client, ClusterClient::Create(cluster->coordinator(), {}));
  std::printf("%s: %u shards and %u workers; coordinator at %s, logs in %s/logs\n",
              options.job.name().c_str(), options.job.shards(), options.job.workers(),
              cluster->coordinator().c_str(), options.output.c_str());
  SYNCLINE_ASSIGN_OR_RETURN(const int signal, Watch(cluster.get(), client.get(), status));
  if (signal != 0) {
    std::printf("stopping: training ends at a step, a checkpoint is written\n");
    std::fflush(stdout);
  } else {
    SYNCLINE_RETURN_IF_ERROR(WriteResults(options.output, *status));
  }
  cluster->Stop(absl::Seconds(30));
  return signal;
}

PlotLine CurveOf(const ClusterStatusReply& status, const std::string& name, double (LossPoint::*x)() const,
                 double (LossPoint::*y)() const) {
  PlotLine line{name, {}};
  for (const LossPoint& point : status.loss_curve()) line.points.emplace_back((point.*x)(), (point.*y)());
  return line;
}

absl::Status WriteResults(const std::string& output, const ClusterStatusReply& status) {
  FileSystem& files = PosixFileSystem();
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(
      files, absl::StrCat(output, "/loss.svg"),
      LinePlot(absl::StrCat(status.job().name(), ": training loss"), "epoch", {CurveOf(status, "", &LossPoint::epoch, &LossPoint::loss)})));
  return WriteFileAtomically(files, absl::StrCat(output, "/status.json"), StatusJson(status));
}

}  // namespace syncline
