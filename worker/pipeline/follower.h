#ifndef SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_
#define SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "proto/job.pb.h"
#include "worker/client/client.h"
#include "worker/model/open_device.h"
#include "worker/team/team.h"

namespace syncline {

struct FollowerOptions {
  Team* team = nullptr;
  JobManifest job;
  // How to reach the cluster, as the member that the team is.
  ClientOptions client;
  OpenDeviceOptions device;
  absl::Duration step_delay;
  std::function<bool()> stop;
};

enum class FollowerEnd {
  kOver,     // training is over
  kStopped,  // by `stop`
  kMoved,    // it has another place now
};

// Does what the leader of its team says, as the stage of its present place, which is not the first: pulls and pushes
// the weights of its layers. Blocks.
absl::StatusOr<FollowerEnd> RunFollower(const FollowerOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_
