#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"
#include "server/durability/checkpoint_folders.h"
#include "server/durability/checkpoint_names.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// An interval checkpoint is asked of the shards this many steps ahead; the leases reach further.
constexpr uint64_t kCheckpointAhead = 32;
// How often a checkpoint on demand is asked for when the shards were past its step.
constexpr int kCheckpointTries = 250;

void CountBytes(const CheckpointManifest& manifest, CheckpointReply* reply) {
  uint64_t written = 0, linked = 0;
  for (const CheckpointFile& file : manifest.files()) (file.linked() ? linked : written) += file.bytes();
  reply->set_written_bytes(written);
  reply->set_linked_bytes(linked);
}

}  // namespace

absl::StatusOr<CheckpointReply> CoordinatorImpl::CheckpointAt(uint64_t step) {
  const std::shared_ptr<ShardGroup> group = shards();
  CheckpointManifest manifest;
  WriteCheckpointRequest request;
  {
    absl::MutexLock lock(&mu_);
    manifest.set_format(kCheckpointFormat);
    request.set_base(last_checkpoint_);
    *manifest.mutable_job() = job_;
    *manifest.mutable_map() = *map_;
    if (leases_ != nullptr && sync()) leases_->Pin(step);
  }
  const std::string& directory = job_.checkpoint().directory();
  SYNCLINE_RETURN_IF_ERROR(BeginCheckpoint(*options_.files, directory, step));
  request.set_directory(PartialCheckpointFolder(directory, step));
  request.set_step(step);
  auto written = group->WriteCheckpoint(request);
  {
    absl::MutexLock lock(&mu_);
    // Parts by different maps do not make a whole.
    if (written.ok() && (!map_ || map_->epoch() != manifest.map().epoch())) {
      written = absl::UnavailableError("a shard was lost meanwhile");
    }
    if (leases_ != nullptr) {
      if (written.ok()) leases_->Save(step, &manifest);
      leases_->Unpin();
    } else if (restored_) {
      manifest.set_next_epoch(restored_->next_epoch());
      *manifest.mutable_remaining() = restored_->remaining();
    }
    const std::vector<uint64_t> next = members_.NextIncarnations();
    manifest.mutable_next_incarnation()->Assign(next.begin(), next.end());
  }
  if (!written.ok()) {
    options_.files->RemoveFolder(PartialCheckpointFolder(directory, step)).IgnoreError();
    return written.status();
  }
  manifest.set_step(step);
  *manifest.mutable_files() = written->files();
  CheckpointReply reply;
  SYNCLINE_ASSIGN_OR_RETURN(*reply.mutable_directory(),
                            CommitCheckpoint(*options_.files, directory, manifest,
                                             job_.checkpoint().keep()));
  reply.set_step(step);
  CountBytes(manifest, &reply);
  spdlog::info("{}: {} bytes written, {} linked from earlier ones", reply.directory(), reply.written_bytes(),
               reply.linked_bytes());
  absl::MutexLock lock(&mu_);
  MetadataRecord record;
  record.set_checkpoint(reply.directory());
  Keep(record, true).IgnoreError();  // an older one would do as well
  last_checkpoint_ = reply.directory();
  checkpoint_bytes_ = {reply.written_bytes(), reply.linked_bytes()};
  return reply;
}

absl::StatusOr<CheckpointReply> CoordinatorImpl::Checkpoint() {
  if (job_.checkpoint().directory().empty()) {
    return absl::FailedPreconditionError(
        "checkpoint.directory is not set: give it in the manifest or as --checkpoint_directory");
  }
  {
    absl::MutexLock lock(&mu_);
    if (!map_) return absl::UnavailableError(WaitingFor());
    if (finished_) {
      CheckpointReply reply;
      reply.set_directory(last_checkpoint_);
      return reply;
    }
  }
  absl::MutexLock one(&checkpoint_mu_);
  // A training cluster goes on meanwhile, so the step asked for lies ahead; further if it was past. With no
  // step ahead the shards may be between two: they are asked again.
  uint64_t margin = 2;
  for (int tries = 0;; ++tries) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
    uint64_t step = steps.second;
    bool moving;
    {
      absl::MutexLock lock(&mu_);
      moving = sync() && !members_.Live().empty() && leases_ != nullptr && !stopped_at_ &&
               steps.second + margin < leases_->planned();
    }
    if (moving) step += margin;
    auto reply = CheckpointAt(step);
    const bool again = absl::IsFailedPrecondition(reply.status()) && tries < kCheckpointTries;
    if (!again || closing_.HasBeenNotified()) return reply;
    margin = moving ? 2 * margin : 2;
    if (!moving) closing_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
}

// Takes the checkpoints of the interval, each asked for a little ahead of its step.
void CoordinatorImpl::KeepInterval() {
  const uint64_t interval = job_.checkpoint().interval_steps();
  uint64_t next = (first_step_ / interval + 1) * interval;
  while (!closing_.WaitForNotificationWithTimeout(absl::Milliseconds(50))) {
    if (shards() == nullptr) continue;
    const auto steps = Steps();
    if (!steps.ok()) continue;
    const uint64_t at = sync() ? std::max(next, steps->second + 2) : steps->first;
    {
      absl::MutexLock lock(&mu_);
      if (draining_ || finished_) return;
      // Near the end of the job the step may never come; the last checkpoint is taken anyway.
      if (leases_ == nullptr || (sync() && at >= leases_->planned())) continue;
    }
    if (steps->second + (sync() ? kCheckpointAhead : 0) < next) continue;
    {
      absl::MutexLock one(&checkpoint_mu_);
      const auto taken = CheckpointAt(at);
      absl::MutexLock lock(&mu_);
      trouble_ = taken.ok() || absl::IsFailedPrecondition(taken.status())
                     ? ""
                     : absl::StrCat("the checkpoint of step ", next, " failed: ",
                                    taken.status().message());
    }
    next = (std::max(next, steps->second) / interval + 1) * interval;
  }
}

absl::StatusOr<std::string> CoordinatorImpl::FinalCheckpoint() {
  if (job_.checkpoint().directory().empty() || shards() == nullptr) return std::string();
  absl::MutexLock one(&checkpoint_mu_);
  SYNCLINE_ASSIGN_OR_RETURN(const auto steps, Steps());
  SYNCLINE_ASSIGN_OR_RETURN(const auto reply, CheckpointAt(steps.second));
  return reply.directory();
}

// All is trained, or drained, and everybody has left.
void CoordinatorImpl::Finish() {
  const auto written = FinalCheckpoint();
  {
    absl::MutexLock lock(&mu_);
    if (!written.ok()) {
      trouble_ = absl::StrCat("the last checkpoint failed, trying again: ",
                              written.status().message());
      return;
    }
    MetadataRecord record;
    record.mutable_ended()->set_checkpoint(last_checkpoint_);
    Keep(record, true).IgnoreError();
  }
  if (const auto group = shards()) group->EndJob();
  absl::MutexLock lock(&mu_);
  finished_ = true;
}

absl::StatusOr<DrainReply> CoordinatorImpl::Drain(const DrainRequest& request) {
  return request.shard().empty() ? DrainAll() : DrainShard(request.shard());
}

absl::StatusOr<DrainReply> CoordinatorImpl::DrainAll() {
  {
    absl::MutexLock lock(&mu_);
    draining_ = true;
    if (finished_) {  // the shards may have gone already
      DrainReply reply;
      reply.set_checkpoint(last_checkpoint_);
      return reply;
    }
  }
  uint64_t stop_at = 0;
  if (const auto group = shards()) {
    absl::MutexLock control(&control_mu_);
    SYNCLINE_ASSIGN_OR_RETURN(const uint64_t step, group->Stop());
    if (sync()) stop_at = step;
  }
  const absl::Time begun = options_.now();
  while (!closing_.HasBeenNotified()) {
    std::vector<Rank> live;
    {
      absl::MutexLock lock(&mu_);
      stopped_at_ = stop_at;
      if (finished_) {
        DrainReply reply;
        reply.set_checkpoint(last_checkpoint_);
        return reply;
      }
      live = members_.Live();
    }
    // Whoever waits for a worker that will not come is let go without it.
    if (options_.now() - begun > 2 * options_.member_lease) {
      absl::MutexLock control(&control_mu_);
      for (const Rank rank : live) SYNCLINE_RETURN_IF_ERROR(RemoveWorker(rank, true));
    }
    closing_.WaitForNotificationWithTimeout(absl::Milliseconds(20));
  }
  return absl::CancelledError("the coordinator is closing");
}

}  // namespace syncline
