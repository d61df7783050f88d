#ifndef SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_
#define SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_

#include <functional>
#include <memory>

#include "absl/time/time.h"
#include "proto/job.pb.h"
#include "worker/client/client.h"
#include "worker/model/open_device.h"
#include "worker/team/follower.h"
#include "worker/team/team.h"

namespace syncline {

// What a process needs to do its part of a team's work.
struct TeamPartOptions {
  Team* team = nullptr;
  JobManifest job;
  // How to reach the cluster, as the member that the team is.
  ClientOptions client;
  OpenDeviceOptions device;
  absl::Duration step_delay;
};

// A stage of a pipeline that is not the first: that of the process's present place. Pulls and pushes the weights of its
// layers.
std::unique_ptr<TeamPart> MakePipelineFollower(const TeamPartOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_PIPELINE_FOLLOWER_H_
