#include "server/service/checkpoint_call.h"

#include "absl/strings/str_join.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/status/status_macros.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

// How long a checkpoint waits for what the workers carry. Each hands it in after its next pull.
constexpr absl::Duration kWorkerStatePatience = absl::Seconds(10);

}  // namespace

absl::StatusOr<WriteCheckpointReply> WriteCheckpointOf(const std::shared_ptr<Shard>& shard,
                                                       const WriteCheckpointRequest& request,
                                                       ShardCheckpoints* checkpoints) {
  // A waiting snapshot ends with the step, with StopAt, or with the shard: this returns.
  absl::Notification done;
  absl::StatusOr<ShardSnapshot> snapshot = absl::UnknownError("no snapshot");
  shard->SnapshotAt(request.step(), [&](auto taken) {
    snapshot = std::move(taken);
    done.Notify();
  });
  shard->PrepareForSnapshot();
  done.WaitForNotification();
  SYNCLINE_RETURN_IF_ERROR(snapshot.status());
  const auto missing = shard->AwaitWorkerStates(kWorkerStatePatience, &*snapshot);
  if (!missing.empty()) {
    spdlog::warn("the checkpoint of step {} is without what workers of rank {} carry: they have "
                 "not handed it in", snapshot->step, absl::StrJoin(missing, ", "));
  }
  const ShardCheckpoints::Target target = {request.directory(), request.base(), shard->Status().shard(),
                                           shard->GetMap().maps(0).map(), shard};
  SYNCLINE_ASSIGN_OR_RETURN(const auto written, checkpoints->Write(target, *snapshot));
  WriteCheckpointReply reply;
  reply.set_step(snapshot->step);
  for (const CheckpointFile& file : written) *reply.add_files() = file;
  return reply;
}

}  // namespace syncline
