#include <cstdio>
#include <string>

#include "common/status/status_macros.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/local_run.h"
#include "deploy/cli/progress.h"

namespace syncline {

absl::StatusOr<int> RunLocal(const LocalOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(const LocalCluster::Options local, ReadLocalOptions(options, "output/"));
  ClusterStatusReply status;
  SYNCLINE_ASSIGN_OR_RETURN(const int signal, RunToEnd(local, &status));
  if (signal != 0) return 128 + signal;
  std::printf("\n%scheckpoint      %s\nloss curve      %s/loss.svg\n", Summary(status).c_str(),
              status.last_checkpoint().c_str(), local.output.c_str());
  const Data& data = status.job().data();
  const bool holds_out = !data.test().empty() || data.test_fraction() > 0;
  return holds_out && !status.has_test_loss() ? 1 : 0;
}

}  // namespace syncline
