#ifndef SYNCLINE_SERVER_COORDINATOR_SHARD_LINK_H_
#define SYNCLINE_SERVER_COORDINATOR_SHARD_LINK_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

// A shard as the coordinator reaches it. Calls block; each is retried while the shard is away, until
// a deadline. Thread-safe.
class ShardLink {
 public:
  virtual ~ShardLink() = default;

  virtual absl::StatusOr<ConfigureReply> Configure(const ConfigureRequest& request) = 0;
  virtual absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) = 0;
  virtual absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest& request) = 0;
  virtual absl::StatusOr<StopAtReply> StopAt(uint64_t step) = 0;
  // Waits until the step is reached, however long that takes.
  virtual absl::StatusOr<WriteCheckpointReply> WriteCheckpoint(
      const WriteCheckpointRequest& request) = 0;
  virtual absl::StatusOr<ShardStatusReply> Status() = 0;
  // Nobody needs what the shard holds any more. Asks for as long as Status does.
  virtual absl::Status EndJob() = 0;
  // The shard is lost: what is asked of it, or will be, ends with UNAVAILABLE.
  virtual void GiveUp() = 0;
};

using ConnectShard =
    std::function<absl::StatusOr<std::unique_ptr<ShardLink>>(const std::string& address)>;

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_SHARD_LINK_H_
