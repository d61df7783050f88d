#ifndef SYNCLINE_WORKER_MEMBERSHIP_H_
#define SYNCLINE_WORKER_MEMBERSHIP_H_

#include <functional>
#include <optional>

#include "absl/status/status.h"
#include "common/memory/local_socket.h"
#include "proto/job.pb.h"
#include "worker/local/helper.h"
#include "worker/progress_board.h"
#include "worker/team/team.h"
#include "worker/worker_options.h"

namespace syncline {

// What a membership is for, beside training.
struct Role {
  // For the other processes of this host, if it leads any; and who led them before.
  std::optional<LocalSocket> listener;
  HelperResult before;
  // Only to make what a lost worker owes; ends when this says so.
  bool stand_in = false;
  std::function<bool()> stop;
  // pipeline: the processes that share the model, whose first one this is; otherwise null.
  Team* team = nullptr;
  JobManifest job;  // with a team
};

// One membership of the cluster, from join to leave; blocks. `given_up`: the cluster gave it up, and the worker
// should join again.
absl::Status Train(const WorkerOptions& options, ProgressBoard* board, Role role, bool* given_up);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MEMBERSHIP_H_
