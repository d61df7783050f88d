#ifndef SYNCLINE_SERVER_COORDINATOR_COORDINATOR_METRICS_H_
#define SYNCLINE_SERVER_COORDINATOR_COORDINATOR_METRICS_H_

#include <vector>

#include "common/obs/status_page.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// What /metrics of a coordinator says, out of its status.
std::vector<Metric> CoordinatorMetrics(const ClusterStatusReply& status);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_COORDINATOR_METRICS_H_
