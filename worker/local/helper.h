#ifndef SYNCLINE_WORKER_LOCAL_HELPER_H_
#define SYNCLINE_WORKER_LOCAL_HELPER_H_

#include <functional>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "common/memory/local_socket.h"
#include "proto/job.pb.h"
#include "worker/model/open_device.h"

namespace syncline {

struct HelperOptions {
  // To the leader of this host's processes.
  const LocalSocket* leader = nullptr;
  JobManifest job;
  OpenDeviceOptions device;
  // Waited before each part, to see what a slow process does to others.
  absl::Duration step_delay;
  // Asked between steps: true ends the help in good order. May be null.
  std::function<bool()> stop;
};
struct HelperResult {
  enum End { kOver, kStopped, kLeaderLost } end = kLeaderLost;
  // The leader as the cluster knew it; incarnation 0 if it was gone before it said so.
  Rank rank = 0;
  Incarnation incarnation = 0;
};

// Computes parts of steps for the leader until training is over, `stop`, or the leader is lost. This
// process is no member of the cluster: weights are read from the leader's memory, gradients are put
// into memory lent to it. Blocks; no threads of its own. Errors are of the device, the data or a part.
absl::StatusOr<HelperResult> RunHelper(const HelperOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_LOCAL_HELPER_H_
