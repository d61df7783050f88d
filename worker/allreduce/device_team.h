#ifndef SYNCLINE_WORKER_ALLREDUCE_DEVICE_TEAM_H_
#define SYNCLINE_WORKER_ALLREDUCE_DEVICE_TEAM_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "proto/team.pb.h"
#include "worker/allreduce/device_sum.h"
#include "worker/client/client.h"
#include "worker/model/device.h"
#include "worker/model/network.h"
#include "worker/team/team.h"

namespace syncline {

// Whether the devices of an all-reduce's processes sum its gradients, and the group that they are then.
//
// A group belongs to a generation of the team, and is given up with the first try of a step that fails in any process:
// somebody may be gone, for whom the others' devices would wait for ever. The next try makes a new one. If it was the
// group itself that failed, sums are made in host memory until the generation changes.
//
// The leader proposes in each order for a step; all then do the same. Used by one thread.
class DeviceTeam {
 public:
  struct Options {
    Team* team = nullptr;
    const Device* device = nullptr;
    Network* network = nullptr;
    std::vector<float*> sums;  // where those of each parameter go, host memory
  };
  explicit DeviceTeam(Options options);

  // As the leader of the team: completes the order for a step. Whether it says that devices are to sum.
  bool Propose(TeamStep* step);
  // A try begins. Waits for the others where a group is to be made; ABORTED as usual.
  absl::Status Begin(const TeamStep& step, const TeamAttempt& attempt, const Team::View& view,
                     const std::vector<Client::Chunk>& chunks);
  // Until the next Begin or Failed; null: sums are made in host memory.
  DeviceSum* sum() { return sum_.get(); }
  // The try has failed, here or elsewhere.
  void Failed();
  // The step was made by all.
  void Made() { made_ = true; }
  // How gradients are summed, and if not on the devices, why; a line for people. "" if the leader alone knows.
  const std::string& manner() const { return manner_; }

 private:
  absl::Status Meet(const TeamAttempt& attempt, const Team::View& view, const std::vector<Client::Chunk>& chunks);
  void InHostMemory(const std::string& why);

  const Options options_;
  std::string means_;    // what groups are made with
  std::string lacking_;  // why this process can be in none, as the end of a sentence; "": it can
  TeamAttempt since_;    // the group's first
  bool made_ = false;    // the latest step
  std::unique_ptr<DeviceSum> sum_;
  uint64_t refused_in_ = 0;  // a generation whose devices sum nothing
  uint64_t failed_in_ = 0;   // one in which this process's group failed, and how
  std::string failure_;
  std::string manner_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_ALLREDUCE_DEVICE_TEAM_H_
