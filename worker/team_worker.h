#ifndef SYNCLINE_WORKER_TEAM_WORKER_H_
#define SYNCLINE_WORKER_TEAM_WORKER_H_

#include "absl/status/status.h"
#include "proto/job.pb.h"
#include "worker/progress_board.h"
#include "worker/worker_options.h"

namespace syncline {

// A worker of a job whose members are teams of processes (pipeline, allreduce): takes the place that the coordinator
// gives it, and leads or follows. Blocks until training is over, or `options.stop`.
absl::Status RunInTeam(const WorkerOptions& options, const JobManifest& job, ProgressBoard* board);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TEAM_WORKER_H_
