#include "server/coordinator/shard_group.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "common/threads/in_parallel.h"

namespace syncline {
namespace {

absl::Status At(size_t shard, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("shard ", shard, ": ", status.message()));
}

}  // namespace

absl::StatusOr<uint64_t> ShardGroup::Configure(ConfigureRequest request) {
  uint64_t step = 0;
  for (size_t i = 0; i < shards_.size(); ++i) {
    request.set_shard(static_cast<uint32_t>(i));
    const auto reply = shards_[i]->Configure(request);
    if (!reply.ok()) return At(i, reply.status());
    step = std::max(step, reply->step());
  }
  return step;
}

absl::Status ShardGroup::Admit(Rank rank, Incarnation incarnation, Clock clock) {
  UpdateMemberRequest request;
  request.set_action(UpdateMemberRequest::ADMIT);
  request.set_rank(rank);
  request.set_incarnation(incarnation);
  request.set_clock(clock);
  for (size_t i = 0; i < shards_.size(); ++i) {
    const auto reply = shards_[i]->UpdateMember(request);
    if (!reply.ok()) return At(i, reply.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<Clock> ShardGroup::Remove(Rank rank, Incarnation incarnation, bool drop) {
  UpdateMemberRequest fence;
  fence.set_action(UpdateMemberRequest::FENCE);
  fence.set_rank(rank);
  fence.set_incarnation(incarnation);
  UpdateMemberRequest remove = fence;
  remove.set_action(UpdateMemberRequest::REMOVE);
  remove.set_drop(drop);
  for (size_t i = 0; i < shards_.size(); ++i) {
    const auto reply = shards_[i]->UpdateMember(fence);
    if (!reply.ok()) return At(i, reply.status());
    if (reply->committed() <= remove.clock()) continue;
    remove.set_clock(reply->committed());
    remove.clear_last_commit();
    if (reply->has_last_commit()) *remove.mutable_last_commit() = reply->last_commit();
  }
  for (size_t i = 0; i < shards_.size(); ++i) {
    const auto reply = shards_[i]->UpdateMember(remove);
    if (!reply.ok()) return At(i, reply.status());
  }
  return remove.clock();
}

absl::StatusOr<uint64_t> ShardGroup::Stop() {
  uint64_t step = 0;
  for (uint64_t margin = 1;; margin *= 2) {
    bool accepted = true;
    for (size_t i = 0; i < shards_.size(); ++i) {
      const auto reply = shards_[i]->StopAt(step);
      if (!reply.ok()) return At(i, reply.status());
      if (reply->accepted()) continue;
      accepted = false;
      step = std::max(step, reply->step() + margin);
    }
    if (accepted) return step;
  }
}

absl::StatusOr<WriteCheckpointReply> ShardGroup::WriteCheckpoint(const WriteCheckpointRequest& request) {
  std::vector<absl::StatusOr<WriteCheckpointReply>> replies(
      shards_.size(), absl::StatusOr<WriteCheckpointReply>(absl::UnknownError("not asked")));
  InParallel(shards_.size(), [&](size_t i) { replies[i] = shards_[i]->WriteCheckpoint(request); });
  WriteCheckpointReply all;
  for (size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i].ok()) return At(i, replies[i].status());
    all.set_step(std::max(all.step(), replies[i]->step()));
    all.mutable_files()->MergeFrom(replies[i]->files());
  }
  return all;
}

void ShardGroup::EndJob() {
  // One that does not hear of it waits for a coordinator until its patience is over.
  InParallel(shards_.size(), [this](size_t i) { shards_[i]->EndJob().IgnoreError(); });
}

std::vector<ShardStatusReply> ShardGroup::Status(std::vector<absl::Status>* errors) {
  std::vector<ShardStatusReply> replies(shards_.size());
  errors->assign(shards_.size(), absl::OkStatus());
  InParallel(shards_.size(), [&](size_t i) {
    auto reply = shards_[i]->Status();
    if (reply.ok()) {
      replies[i] = *std::move(reply);
    } else {
      (*errors)[i] = At(i, reply.status());
    }
    // Here, whatever its own map says: two may differ while the map changes.
    replies[i].set_shard(static_cast<uint32_t>(i));
  });
  return replies;
}

}  // namespace syncline
