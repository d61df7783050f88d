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

absl::StatusOr<int> RunCompare(const LocalOptions& options, const std::string& names) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<Strategy> strategies, ParseStrategies(names));
  SYNCLINE_ASSIGN_OR_RETURN(const LocalCluster::Options all, ReadLocalOptions(options, "output/compare-"));
  std::vector<std::pair<std::string, ClusterStatusReply>> runs;
  std::vector<PlotLine> by_epoch, by_second;
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
    by_epoch.push_back(LossOver(&LossPoint::epoch, strategy.name, status));
    by_second.push_back(LossOver(&LossPoint::seconds, strategy.name, status));
    runs.emplace_back(strategy.name, std::move(status));
  }
  const std::string title = absl::StrCat(all.job.name(), ": training loss");
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(PosixFileSystem(), all.output + "/loss_over_epochs.svg",
                                               LinePlot(title, "epoch", by_epoch)));
  SYNCLINE_RETURN_IF_ERROR(WriteFileAtomically(PosixFileSystem(), all.output + "/loss_over_time.svg",
                                               LinePlot(title, "seconds", by_second)));
  std::printf("\n%s\n%s/loss_over_epochs.svg and loss_over_time.svg show how they came there\n",
              CompareTable(runs).c_str(), all.output.c_str());
  return 0;
}

}  // namespace syncline
