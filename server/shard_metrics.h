#ifndef SYNCLINE_SERVER_SHARD_METRICS_H_
#define SYNCLINE_SERVER_SHARD_METRICS_H_

#include <vector>

#include "common/obs/status_page.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A shard's status as Prometheus sees it.
std::vector<Metric> ShardMetrics(const ShardStatusReply& status);

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_METRICS_H_
