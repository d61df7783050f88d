#ifndef SYNCLINE_WORKER_ALLREDUCE_WORK_H_
#define SYNCLINE_WORKER_ALLREDUCE_WORK_H_

#include <memory>

#include "worker/allreduce/member.h"
#include "worker/client/client.h"
#include "worker/team/follower.h"
#include "worker/team/team_leader.h"
#include "worker/train/team_work.h"

namespace syncline {

// A process's part in an all-reduce, as one that leads and as one that follows. What is given outlives them.

// Tells the others to make a step, makes its own part, and knows when all is pushed. `client`: the member's own.
std::unique_ptr<TeamWork> MakeAllReduceLeader(TeamLeader* others, AllReduceMember* member, Client* client);

// Makes its part when it is told to.
std::unique_ptr<TeamPart> MakeAllReduceFollower(AllReduceMember* member, absl::Duration step_delay);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_WORK_H_
