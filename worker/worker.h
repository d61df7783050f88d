#ifndef SYNCLINE_WORKER_WORKER_H_
#define SYNCLINE_WORKER_WORKER_H_

#include "absl/status/status.h"
#include "worker/worker_options.h"

namespace syncline {

// A whole worker in one call: what syncline-worker runs, and tests too.
//
// Joins the cluster, trains until there is nothing left to do or `stop`, and leaves. Joins again
// when the cluster gave this worker up meanwhile. Blocks.
absl::Status RunWorker(const WorkerOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_WORKER_H_
