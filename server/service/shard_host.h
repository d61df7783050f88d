#ifndef SYNCLINE_SERVER_SERVICE_SHARD_HOST_H_
#define SYNCLINE_SERVER_SERVICE_SHARD_HOST_H_

#include <functional>
#include <memory>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/shard.h"

namespace syncline {

// The place of a daemon's shard, empty until the coordinator configures it. Thread-safe.
class ShardHost {
 public:
  using MakeShard = std::function<absl::StatusOr<std::unique_ptr<Shard>>(const ConfigureRequest&)>;

  // `make` builds (and restores) the shard of a configuration.
  explicit ShardHost(MakeShard make) : make_(std::move(make)) {}

  // Makes the shard. The same configuration again is a success and changes nothing; one of a later
  // attempt at the job takes its place. Any other is FAILED_PRECONDITION: restart the shard.
  absl::StatusOr<ConfigureReply> Configure(ConfigureRequest request);

  // FAILED_PRECONDITION for a coordinator of an earlier generation than one heard of before.
  absl::Status CheckGeneration(uint64_t generation);

  // The job has ended in good order.
  void NoteEnd();
  // Whether somebody may still need what is held here: there is a shard, and its job has not ended.
  bool Needed() const;

  // UNAVAILABLE ("not configured yet") until then.
  absl::StatusOr<std::shared_ptr<Shard>> shard() const;

 private:
  const MakeShard make_;
  mutable absl::Mutex mu_;
  std::shared_ptr<Shard> shard_ ABSL_GUARDED_BY(mu_);
  ConfigureRequest configuration_ ABSL_GUARDED_BY(mu_);
  uint64_t generation_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SERVICE_SHARD_HOST_H_
