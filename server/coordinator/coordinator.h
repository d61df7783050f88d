#ifndef SYNCLINE_SERVER_COORDINATOR_COORDINATOR_H_
#define SYNCLINE_SERVER_COORDINATOR_COORDINATOR_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/io/file_system.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"
#include "server/coordinator/load_watch.h"
#include "server/coordinator/metadata_store.h"
#include "server/coordinator/shard_link.h"

namespace syncline {

// Who is in the cluster, who trains on what, when it stops: the coordinator, less the network. One
// method a call of the service, with the same messages; docs/architecture.md tells the protocol.
// Thread-safe. Methods that talk to shards block; no lock is held meanwhile. (`Coordinator` is the
// name of the generated service.)
class CoordinatorCore {
 public:
  struct Options {
    // Complete, as LoadManifest returns it.
    JobManifest job;
    ConnectShard connect;
    // Where checkpoints go; not owned.
    FileSystem* files = nullptr;
    // Folder of a checkpoint to continue from; empty: none.
    std::string restore_from;
    // A member not heard of for this long is lost.
    absl::Duration member_lease = absl::Seconds(3);
    // Over how long it is measured what shards have to do; see LoadWatch.
    absl::Duration load_interval = LoadWatch::Options().interval;
    // Steps leased ahead of a worker.
    uint64_t lease_steps = 256;
    // What the coordinator before this one kept (metadata->Read()), to go on from; empty: none. The job's
    // shards must be there still: if none answers, the job begins anew from its last checkpoint.
    std::vector<MetadataRecord> records;
    // Where this one keeps it; null: nowhere. Not owned.
    MetadataStore* metadata = nullptr;
    // Higher than that of every coordinator before.
    uint64_t generation = 1;
    // The time, for tests to move.
    std::function<absl::Time()> now;
  };

  static absl::StatusOr<std::unique_ptr<CoordinatorCore>> Create(Options options);
  virtual ~CoordinatorCore() = default;

  virtual absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request) = 0;
  virtual absl::StatusOr<JoinWorkerReply> JoinWorker(const JoinWorkerRequest& request) = 0;
  // UNAVAILABLE, saying what is missing, until all shards have come: ask again.
  virtual absl::StatusOr<CreateTensorsReply> CreateTensors(const CreateTensorsRequest& request) = 0;
  virtual absl::StatusOr<LeaseReply> Lease(const LeaseRequest& request) = 0;
  virtual absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest& request) = 0;
  virtual absl::StatusOr<LeaveWorkerReply> LeaveWorker(const LeaveWorkerRequest& request) = 0;
  virtual absl::StatusOr<ClusterStatusReply> ClusterStatus() = 0;
  virtual absl::StatusOr<CheckpointReply> Checkpoint() = 0;
  // Returns when the last checkpoint is durable and every worker has left or was lost; for one shard,
  // when others have its chunks. The last shard's drain is the job's.
  virtual absl::StatusOr<DrainReply> Drain(const DrainRequest& request) = 0;
  virtual absl::StatusOr<ScaleReply> Scale(const ScaleRequest& request) = 0;
  // FAILED_PRECONDITION for a job without teams.
  virtual absl::StatusOr<JoinTeamReply> JoinTeam(const JoinTeamRequest& request) = 0;

  // What is due: gives up members whose lease has run out, takes interval checkpoints, notices the
  // end of training. The owner calls it about ten times a second, from one thread.
  virtual void Tick() = 0;
  // Training is over, by its end or by Drain, and the last checkpoint is durable.
  virtual bool finished() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_COORDINATOR_H_
