#ifndef SYNCLINE_DEPLOY_CLI_LOCAL_RUN_H_
#define SYNCLINE_DEPLOY_CLI_LOCAL_RUN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/cli/commands.h"
#include "deploy/cli/line_plot.h"
#include "deploy/cli/local_cluster.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// What a cluster is made of by these options; `output` is where results go by default, less the time.
absl::StatusOr<LocalCluster::Options> ReadLocalOptions(const LocalOptions& options,
                                                       const std::string& output);

// Runs a job on this machine to its end and shows how it goes. Returns 0, with its last `status`, or the
// signal (SIGINT, SIGTERM) that ended it with a checkpoint.
absl::StatusOr<int> RunToEnd(const LocalCluster::Options& options, ClusterStatusReply* status);

// How a job went, as a line of that name: &LossPoint::loss or accuracy over &LossPoint::epoch or seconds.
PlotLine CurveOf(const ClusterStatusReply& status, const std::string& name, double (LossPoint::*x)() const,
                 double (LossPoint::*y)() const);

// Writes OUTPUT/loss.svg and OUTPUT/status.json.
absl::Status WriteResults(const std::string& output, const ClusterStatusReply& status);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_LOCAL_RUN_H_
