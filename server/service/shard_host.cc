#include "server/service/shard_host.h"

#include "google/protobuf/util/message_differencer.h"

namespace syncline {

absl::StatusOr<ConfigureReply> ShardHost::Configure(const ConfigureRequest& request) {
  absl::MutexLock lock(&mu_);
  if (shard_ == nullptr) {
    auto made = make_(request);
    if (!made.ok()) return made.status();
    shard_ = *std::move(made);
    configuration_ = request;
  } else if (!google::protobuf::util::MessageDifferencer::Equals(configuration_, request)) {
    return absl::FailedPreconditionError(
        "this shard is configured for another job or place in it: restart it");
  }
  ConfigureReply reply;
  reply.set_step(shard_->Status().step());
  return reply;
}

absl::StatusOr<std::shared_ptr<Shard>> ShardHost::shard() const {
  absl::MutexLock lock(&mu_);
  if (shard_ == nullptr) {
    return absl::UnavailableError("this shard is not configured yet: the coordinator does that");
  }
  return shard_;
}

}  // namespace syncline
