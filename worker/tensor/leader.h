#ifndef SYNCLINE_WORKER_TENSOR_LEADER_H_
#define SYNCLINE_WORKER_TENSOR_LEADER_H_

#include <memory>
#include <string>

#include "worker/client/client.h"
#include "worker/team/team_leader.h"
#include "worker/tensor/member.h"
#include "worker/train/team_work.h"

namespace syncline {

// Tells the others to make a step, makes the part of this process, which is the first of the first stage, and knows
// when all is pushed. `client`: the member's own. `layers`: by stage. What is given outlives it.
std::unique_ptr<TeamWork> MakeTensorLeader(TeamLeader* others, TensorMember* member, Client* client,
                                           const std::string& layers);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_TENSOR_LEADER_H_
