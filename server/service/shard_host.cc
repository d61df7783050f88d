#include "server/service/shard_host.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/message_differencer.h"

namespace syncline {

namespace {

// It was to join a job and no map has given it a place yet, or it was given up since.
bool Unplaced(const Shard& shard, const ShardMap& now) {
  const ShardMap map = shard.GetMap().maps(0).map();
  return static_cast<int>(shard.Status().shard()) >= map.shards_size() || map.epoch() < now.epoch();
}

}  // namespace

absl::Status ShardHost::CheckGeneration(uint64_t generation) {
  absl::MutexLock lock(&mu_);
  generation_ = std::max(generation_, generation);
  if (generation == generation_) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("generation ", generation, ": a later coordinator, of generation ", generation_,
                   ", leads this shard now"));
}

absl::StatusOr<ConfigureReply> ShardHost::Configure(ConfigureRequest request) {
  request.clear_generation();
  absl::MutexLock lock(&mu_);
  const bool replaces = shard_ != nullptr && (request.attempt() > configuration_.attempt() ||
                                              (request.has_members() && Unplaced(*shard_, request.map())));
  if (shard_ == nullptr || replaces) {
    // Whoever works for the old one may do so until it is replaced.
    const std::shared_ptr<Shard> old = std::exchange(shard_, nullptr);
    if (old != nullptr) old->Close();
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

void ShardHost::NoteEnd() {
  absl::MutexLock lock(&mu_);
  ended_ = true;
}

bool ShardHost::Needed() const {
  absl::MutexLock lock(&mu_);
  return shard_ != nullptr && !ended_;
}

absl::StatusOr<std::shared_ptr<Shard>> ShardHost::shard() const {
  absl::MutexLock lock(&mu_);
  if (shard_ == nullptr) {
    return absl::UnavailableError("this shard is not configured yet: the coordinator does that");
  }
  return shard_;
}

}  // namespace syncline
