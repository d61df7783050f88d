// What the coordinator tells of the job.

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator_impl.h"

namespace syncline {

absl::StatusOr<std::pair<uint64_t, uint64_t>> CoordinatorImpl::Steps() {
  std::vector<absl::Status> errors;
  const auto replies = shards()->Status(&errors);
  std::pair<uint64_t, uint64_t> steps(~uint64_t{0}, 0);
  for (size_t i = 0; i < replies.size(); ++i) {
    SYNCLINE_RETURN_IF_ERROR(errors[i]);
    steps.first = std::min(steps.first, replies[i].step());
    steps.second = std::max(steps.second, replies[i].step());
  }
  return steps;
}

ClusterStatusReply::Phase CoordinatorImpl::Phase() const {
  if (finished_) return ClusterStatusReply::FINISHED;
  if (draining_) return ClusterStatusReply::DRAINING;
  return started_ && map_ ? ClusterStatusReply::TRAINING : ClusterStatusReply::WAITING;
}

std::string CoordinatorImpl::WaitingFor() const {
  if (finished_) return "";
  if (!restarted_.empty() && !(map_ && started_)) return restarted_;
  if (!trouble_.empty()) return trouble_;
  const size_t shards = WantedShards().size();
  if (!map_ && shards < FirstShards()) {
    return absl::StrCat("waiting for shards: ", shards, " of ", FirstShards(), " have registered");
  }
  const std::vector<Rank> live = members_.Live();
  if (!started_) {
    return absl::StrCat("waiting for workers: ", members_.LiveProcesses(), " of ", job_.workers(),
                        " have joined");
  }
  if (!map_) return "waiting for a worker to declare the model's tensors";
  if (draining_) return absl::StrCat("waiting for ", live.size(), " workers to leave");
  if (const auto vacant = teams_.Vacant(TeamCount()); vacant && team_size() > 1 && !AllReduces(job_) && !ending_) {
    const uint32_t parts = PartsAStage(job_);
    const std::string part = parts > 1 ? absl::StrCat("part ", vacant->place % parts, " of ") : "";
    return absl::StrCat("waiting for a worker to take ", part, "stage ", vacant->place / parts, " of replica ",
                        vacant->team);
  }
  if (live.empty()) return "waiting for a worker to join";
  return "";
}

absl::StatusOr<ClusterStatusReply> CoordinatorImpl::ClusterStatus() {
  ClusterStatusReply reply;
  std::vector<absl::Status> errors;
  std::vector<std::string> waiting;
  if (const auto group = shards()) {
    uint64_t lowest = ~uint64_t{0};
    for (ShardStatusReply& shard : group->Status(&errors)) {
      lowest = std::min(lowest, shard.step());
      if (!shard.recovering().empty()) waiting.push_back(shard.recovering());
      *reply.add_shards() = std::move(shard);
    }
    reply.set_step(lowest);
  }
  absl::MutexLock lock(&mu_);
  reply.set_phase(Phase());
  if (std::string reason = WaitingFor(); !reason.empty()) {
    const absl::Duration since = absl::Floor(options_.now() - waiting_.second, absl::Seconds(1));
    if (reason == waiting_.first && since > absl::ZeroDuration()) {
      absl::StrAppend(&reason, " (for ", absl::FormatDuration(since), ")");
    }
    waiting.push_back(std::move(reason));
  }
  for (const absl::Status& error : errors) {
    if (!error.ok()) waiting.push_back(std::string(error.message()));
  }
  reply.set_waiting_for(absl::StrJoin(waiting, "; "));
  *reply.mutable_job() = job_;
  reply.mutable_job()->set_rebalance(rebalance_);
  if (map_) *reply.mutable_map() = *map_;
  FillLoad(&reply);
  for (const auto& [rank, member] : members_.members()) {
    WorkerStatus* worker = reply.add_workers();
    worker->set_rank(rank);
    worker->set_incarnation(member.incarnation);
    worker->set_name(member.stand_in ? absl::StrCat(member.name, ", standing in") : member.name);
    worker->set_live(member.live);
    worker->set_processes(member.processes);
    *worker->mutable_progress() = member.progress;
  }
  if (leases_ != nullptr) reply.set_epoch(leases_->Epoch());
  if (leases_ != nullptr && job_.backup_workers() == 0) reply.set_samples_total(leases_->trained());
  reply.set_samples_per_second(curve_.samples_per_second());
  for (const LossPoint& point : curve_.points()) *reply.add_loss_curve() = point;
  if (test_accuracy_) reply.set_test_accuracy(*test_accuracy_);
  if (test_auc_) reply.set_test_auc(*test_auc_);
  if (test_loss_) reply.set_test_loss(*test_loss_);
  reply.set_last_checkpoint(last_checkpoint_);
  reply.set_checkpoint_written_bytes(checkpoint_bytes_.first);
  reply.set_checkpoint_linked_bytes(checkpoint_bytes_.second);
  for (TeamStatus& team : teams_.Status()) *reply.add_teams() = std::move(team);
  *reply.mutable_rescale() = RescaleStatus();
  return reply;
}

}  // namespace syncline
