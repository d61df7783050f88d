#ifndef SYNCLINE_SERVER_COORDINATOR_SHARD_GROUP_H_
#define SYNCLINE_SERVER_COORDINATOR_SHARD_GROUP_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/cluster/ids.h"
#include "proto/parameter_server.pb.h"
#include "server/coordinator/shard_link.h"

namespace syncline {

// What the coordinator says to all shards together. Calls block. The caller sees to it that only
// one sequence runs at a time, so that every shard hears of members in the same order; Status and
// WriteCheckpoint may run beside them.
class ShardGroup {
 public:
  // In the order of their numbers.
  explicit ShardGroup(std::vector<std::shared_ptr<ShardLink>> shards)
      : shards_(std::move(shards)) {}

  // Gives each its place in `request.map()`; returns the step they begin at.
  absl::StatusOr<uint64_t> Configure(ConfigureRequest request);

  // Lets an incarnation in on every shard, its clock starting at `clock`.
  absl::Status Admit(Rank rank, Incarnation incarnation, Clock clock);

  // Fences an incarnation everywhere, finds out how far it got on any shard, and makes that count on
  // all of them. Returns one more than the last clock that counts. May be repeated.
  absl::StatusOr<Clock> Remove(Rank rank, Incarnation incarnation, bool drop);

  // sync: makes all shards stop at one step and returns it: a little above where they are.
  absl::StatusOr<uint64_t> Stop();

  // The parts of a checkpoint at `step`, written at once; waits for the step.
  absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(const WriteCheckpointRequest& request);

  // The job has ended: each shard may go when it is told to.
  void EndJob();

  // By shard. A shard that does not answer has its error in `errors`.
  std::vector<ShardStatusReply> Status(std::vector<absl::Status>* errors);

  size_t size() const { return shards_.size(); }

 private:
  const std::vector<std::shared_ptr<ShardLink>> shards_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_SHARD_GROUP_H_
