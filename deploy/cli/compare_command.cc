#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/config/manifest.h"
#include "common/io/posix_file_system.h"
#include "common/status/status_macros.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/compare_table.h"
#include "deploy/cli/local_run.h"

namespace syncline {
namespace {

using Runs = std::vector<std::pair<std::string, ClusterStatusReply>>;

struct Picture {
  const char* file;
  const char* what;
  double (LossPoint::*y)() const;
  const char* over;
  double (LossPoint::*x)() const;
};
constexpr Picture kPictures[] = {
    {"loss_over_epochs.svg", "training loss", &LossPoint::loss, "epoch", &LossPoint::epoch},
    {"loss_over_time.svg", "training loss", &LossPoint::loss, "seconds", &LossPoint::seconds},
    {"accuracy_over_epochs.svg", "training accuracy", &LossPoint::accuracy, "epoch", &LossPoint::epoch},
    {"accuracy_over_time.svg", "training accuracy", &LossPoint::accuracy, "seconds", &LossPoint::seconds}};

absl::Status Draw(const Picture& picture, const JobManifest& job, const Runs& runs, const std::string& output) {
  // Nothing is right or wrong by a number that is near another.
  if (picture.y == &LossPoint::accuracy && job.model().loss() == MEAN_SQUARED_ERROR) return absl::OkStatus();
  std::vector<PlotLine> lines;
  for (const auto& [name, status] : runs) lines.push_back(CurveOf(status, name, picture.x, picture.y));
  return WriteFileAtomically(PosixFileSystem(), absl::StrCat(output, "/", picture.file),
                             LinePlot(absl::StrCat(job.name(), ": ", picture.what), picture.over, lines));
}

}  // namespace

absl::StatusOr<int> RunCompare(const LocalOptions& options, const std::string& names) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<Strategy> strategies, ParseStrategies(names));
  SYNCLINE_ASSIGN_OR_RETURN(const LocalCluster::Options all, ReadLocalOptions(options, "output/compare-"));
  Runs runs;
  for (const Strategy& strategy : strategies) {
    std::printf("== %s\n", strategy.name.c_str());
    LocalCluster::Options one = all;
    TrainBy(strategy, &one.job);
    SYNCLINE_RETURN_IF_ERROR(CompleteManifest(&one.job));
    one.output = absl::StrCat(all.output, "/", strategy.name);
    // Each from the beginning, and beside the others.
    one.job.mutable_checkpoint()->set_directory(absl::StrCat(one.output, "/checkpoints"));
    ClusterStatusReply status;
    SYNCLINE_ASSIGN_OR_RETURN(const int signal, RunToEnd(one, &status));
    if (signal != 0) return 128 + signal;
    runs.emplace_back(strategy.name, std::move(status));
  }
  for (const Picture& picture : kPictures) {
    SYNCLINE_RETURN_IF_ERROR(Draw(picture, all.job, runs, all.output));
  }
  std::printf("\n%s\nthe pictures in %s show how they came there\n", CompareTable(runs).c_str(), all.output.c_str());
  return 0;
}

}  // namespace syncline
