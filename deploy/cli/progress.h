#ifndef SYNCLINE_DEPLOY_CLI_PROGRESS_H_
#define SYNCLINE_DEPLOY_CLI_PROGRESS_H_

#include <string>

#include "proto/coordinator.pb.h"

namespace syncline {

// How stale what workers saw was, over all shards: clocks a puller was ahead (bounded) or updates a
// pusher had not seen (async); both are 0 throughout in sync.
struct Staleness {
  double mean = 0;
  uint64_t max = 0;
};
Staleness StalenessOf(const ClusterStatusReply& status);

// One line about a running job: a bar of epochs, speed, loss, staleness; or what it waits for.
std::string ProgressLine(const ClusterStatusReply& status);

// Where workers' time went: seconds of all together.
struct WorkersTime {
  double compute = 0;
  double pull_wait = 0;
  double push_wait = 0;
  double communication = 0;
  double total = 0;
  double longest = 0;  // of one
  double waited() const { return pull_wait + push_wait; }
};
WorkersTime TimeOf(const ClusterStatusReply& status);

// Rows of tables with a cache that workers asked for, and the share that was in it: "81.2 % of 1234 rows". Empty where
// there were none.
std::string RowCacheText(const ClusterStatusReply& status);

// Worker processes that are there.
int LiveWorkers(const ClusterStatusReply& status);

// One line about shards and workers that come and go: how many there are, and what has moved.
std::string RescaleLine(const ClusterStatusReply& status, int workers);

// All-reduce: where gradients are summed, and if not on the GPUs, why; "" while nobody says so.
std::string SumsText(const ClusterStatusReply& status);

// What there is to say at the end: accuracy, speed, where workers' time went. `status` is the last.
std::string Summary(const ClusterStatusReply& status);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_PROGRESS_H_
