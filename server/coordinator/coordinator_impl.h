#ifndef SYNCLINE_SERVER_COORDINATOR_COORDINATOR_IMPL_H_
#define SYNCLINE_SERVER_COORDINATOR_COORDINATOR_IMPL_H_

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/cluster/rebalance.h"
#include "common/cluster/team_size.h"
#include "common/time/steady_notification.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/data_leases.h"
#include "server/coordinator/load_watch.h"
#include "server/coordinator/loss_curve.h"
#include "server/coordinator/map_change.h"
#include "server/coordinator/member_table.h"
#include "server/coordinator/shard_group.h"
#include "server/coordinator/team_table.h"

namespace syncline {

// How a job begins and what is due all along is in coordinator.cc; workers and their leases in
// coordinator_workers.cc; status in coordinator_status.cc; checkpoints, and how training ends, in
// coordinator_checkpoints.cc; how shards come and go in coordinator_rescale.cc, what they have to do, and what moves
// because of that, in coordinator_load.cc, and what follows when one is lost in coordinator_takeover.cc; what is kept
// for the next coordinator, and how that goes on, in coordinator_recovery.cc.
class CoordinatorImpl final : public CoordinatorCore {
 public:
  explicit CoordinatorImpl(Options options)
      : options_(std::move(options)),
        job_(options_.job),
        loads_(LoadOptions(options_.load_interval)),
        teams_(team_size(), AllReduces(options_.job), options_.generation << 32) {}
  ~CoordinatorImpl() override;
  absl::Status Start();

  absl::StatusOr<RegisterShardReply> RegisterShard(const RegisterShardRequest& request) override;
  absl::StatusOr<JoinWorkerReply> JoinWorker(const JoinWorkerRequest& request) override;
  absl::StatusOr<CreateTensorsReply> CreateTensors(const CreateTensorsRequest& request) override;
  absl::StatusOr<LeaseReply> Lease(const LeaseRequest& request) override;
  absl::StatusOr<HeartbeatReply> Heartbeat(const HeartbeatRequest& request) override;
  absl::StatusOr<LeaveWorkerReply> LeaveWorker(const LeaveWorkerRequest& request) override;
  absl::StatusOr<ClusterStatusReply> ClusterStatus() override;
  absl::StatusOr<CheckpointReply> Checkpoint() override;
  absl::StatusOr<DrainReply> Drain(const DrainRequest& request) override;
  absl::StatusOr<ScaleReply> Scale(const ScaleRequest& request) override;
  absl::StatusOr<JoinTeamReply> JoinTeam(const JoinTeamRequest& request) override;
  void Tick() override;
  bool finished() const override;

 private:
  bool sync() const { return job_.sync_mode() == SYNC; }
  // Processes that are one member together, and how many such teams there are to be.
  uint32_t team_size() const { return TeamSize(job_); }
  uint32_t TeamCount() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (AllReduces(job_)) return 1;
    return (target_workers_ > 0 ? target_workers_ : job_.workers()) / team_size();
  }
  uint32_t SharesOf(Rank rank) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return std::max(members_.at(rank).processes / ProcessesAReplica(job_), 1u);
  }
  absl::Status NoteConfiguring(const std::vector<std::string>& addresses) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckName(const JoinWorkerRequest& request) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Replace(const JoinWorkerRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  // The rank of a lost worker that somebody may stand in for.
  std::optional<Rank> Orphan() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status AdmitAtFirstStep(Rank rank) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::Status RemoveWorker(Rank rank, bool left) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  // One that was not heard of since then.
  void RemoveSilent(Rank rank, absl::Time since) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::StatusOr<ShardMap> PlanMap(absl::Span<const TensorSpec> tensors,
                                   absl::Span<const std::string> addresses) const;
  // The lowest and the highest step of all shards.
  absl::StatusOr<std::pair<uint64_t, uint64_t>> Steps();
  absl::StatusOr<CheckpointReply> CheckpointAt(uint64_t step) ABSL_LOCKS_EXCLUDED(mu_);
  absl::StatusOr<std::string> FinalCheckpoint();
  void Finish();
  // Members of a coordinator before this one have a lease to find it, and their own.
  absl::Time FirstHeardBy() const { return options_.now() + options_.member_lease; }
  void ExcuseSilence() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void KeepInterval();
  // Nobody trains, and nobody will.
  bool Over() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string WaitingFor() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ClusterStatusReply::Phase Phase() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A shard that registered.
  struct Registered {
    std::string address;
    bool leaving = false;  // it wants to go
    bool retired = false;  // it has given everything away
    uint64_t life = 0;     // of its process
    bool emptied = false;  // that process ended, and another is at its address
    absl::Time last_seen = absl::InfinitePast();
    bool given_up = false;  // nobody waits for its answers any more
  };
  // Without copies a shard that is away for a while is worth waiting for.
  absl::Duration ShardLease() const { return (job_.replicas() > 1 ? 1 : 2) * options_.member_lease; }
  bool InMap(const std::string& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether the shard at `address` has chunks, or is to have some.
  bool Matters(const std::string& address) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // How many shards the job begins with, also anew.
  uint32_t FirstShards() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Those that have chunks, or are to have some, and were not heard of for `silence`, or are there without them.
  std::vector<std::string> LostShards(absl::Duration silence) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Shards that have gone silent before a change of the map was decided on that gives them chunks: who asks them holds
  // up all others.
  void GiveUpJoiners() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Who keeps copies of what lost shards owned takes it over, or else the job begins anew. True if there was
  // something to do.
  bool HandleLostShards();
  // Those of them that do not answer either when they are asked.
  std::vector<std::string> WithoutAnswering(std::vector<std::string> lost) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status TakeOver(const std::vector<std::string>& lost);
  absl::Status DecideWithout(const std::vector<std::string>& lost) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::Status GoThroughTakeOver() ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  void Forget(const std::string& address, const ShardMap& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A change of the map that was decided on is no ordinary one.
  bool TakingOver() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether a takeover came to nothing, as workers are gone too whose gradients are nowhere else.
  bool Unrecoverable();
  // Begins the job anew from its last checkpoint, with the shards that are left and those that come.
  absl::Status RestartJob(const std::string& why);
  bool Superseded(uint64_t attempt) const {
    absl::MutexLock lock(&mu_);
    return attempt != attempt_;
  }

  using LeaseEvent = MetadataRecord::LeaseEvent;
  // All or nothing: what is kept is of this attempt from then on, and so is what this coordinator knows.
  absl::Status BeginAnew(const std::string& restore_from);
  void GoOnFrom(const std::string& checkpoint, std::optional<CheckpointManifest> manifest)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForgetProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Recover(const std::vector<MetadataRecord>& records);
  void Replay(const MetadataRecord& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeLeases(uint64_t samples) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Keeps a record for the next coordinator.
  absl::Status Keep(const MetadataRecord& record, bool durable)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status KeepShards() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status KeepMap(const ShardMap& map, uint64_t from_step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A change of the map to `next` is gone through with from here on, by this coordinator or the next.
  absl::Status DecideOn(const MapVersion& next) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A call of leases_, which is kept first.
  absl::StatusOr<LeaseReply> Do(const LeaseEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  LeaseReply Apply(const LeaseEvent& event) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteCommitted(Rank rank, Clock clock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Hold(bool hold) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<DrainReply> DrainAll();
  absl::StatusOr<DrainReply> DrainShard(const std::string& address);
  const Registered* FindShard(const std::string& address) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Registered* FindShard(const std::string& address) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Not heard of for so long.
  bool Silent(const Registered& shard, absl::Duration silence) const;
  // Where the chunks are to be: who of those registered, in the order of the map.
  // A live worker that is to leave, as Scale asks for fewer.
  bool TooMany(Rank rank) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<std::string> WantedShards() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // On the way to where the chunks are to be.
  std::vector<ShardMap> MapsToCome() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a shard, with what it has to do.
  HeartbeatReply ShardHeartbeat(const HeartbeatRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What goes that way for the sake of load, once that is even in bytes: what is left of the last plan, or a new one.
  std::vector<ShardMap> MapsForLoad() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static LoadWatch::Options LoadOptions(absl::Duration interval);
  void FillLoad(ClusterStatusReply* reply) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A map that load asked for is in force.
  void NoteLoadMoved(const ShardMap& from, const ShardMap& to) ABSL_LOCKS_EXCLUDED(mu_);
  Rescale RescaleStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  RebalanceOptions BalanceBy() const;
  // Moves chunks, a batch at a time, until they are where they are to be. On a thread of its own.
  void KeepBalance();
  void TakeBackChange();
  absl::Status RescaleOnce();
  // Prepares every shard and keeps that; takes it back if that fails.
  absl::Status BeginChange(const ShardMap& map, MapChange* change, const MapChange::Links& links)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  // Unless one of the shards that were prepared was given up meanwhile.
  absl::Status DecideWith(const MapChange::Links& links, const MapVersion& next) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status PrepareAgain(const MapVersion& pending, MapChange* change) ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  // Every shard is prepared for the change: from here on it is gone through with.
  absl::Status ConfirmChange(MapChange* change, const ShardMap& map, const ShardMap& next)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::Status FinishChange(MapChange* change, const ShardMap& map, const ShardMap& next,
                            uint64_t attempt) ABSL_LOCKS_EXCLUDED(control_mu_, mu_);
  absl::StatusOr<MapChange::Links> LinksTo(const ShardMap& map, const ShardMap& next);
  absl::Status Prepare(const ShardMap& map, MapChange* change, const MapChange::Links& links)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  // Waits until the change is made; false if it never will be, as training ended before its step.
  bool AwaitChange(MapChange* change, uint64_t attempt);
  // Whether a change is still what there is to do: no shard was lost since.
  bool GoesOn(const MapVersion& change, uint64_t attempt) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status ConfigureShard(const std::string& address, const ShardMap& map)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(control_mu_);
  absl::StatusOr<std::shared_ptr<ShardLink>> LinkTo(const std::string& address)
      ABSL_LOCKS_EXCLUDED(mu_);
  std::shared_ptr<ShardGroup> GroupOf(const std::vector<std::string>& addresses)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ConfigureRequest Configuration(const ShardMap& map) const;
  std::shared_ptr<ShardGroup> shards() const {
    absl::MutexLock lock(&mu_);
    return shards_;
  }

  const Options options_;
  const JobManifest job_;
  // Set by Start.
  std::string restore_from_;
  std::optional<CheckpointManifest> restored_;
  uint64_t first_step_ = 0;

  // One sequence of calls to the shards at a time: they hear of members in one order. Before mu_.
  absl::Mutex control_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  // One checkpoint at a time. Before mu_; never taken inside control_mu_.
  absl::Mutex checkpoint_mu_;

  mutable absl::Mutex mu_;
  uint64_t attempt_ ABSL_GUARDED_BY(mu_) = 1;
  // Shards that this attempt, so far without a map, was begun with; empty: by the coordinator before.
  std::optional<std::vector<std::string>> configuring_ ABSL_GUARDED_BY(mu_);
  std::string restarted_ ABSL_GUARDED_BY(mu_);  // why, until it trains again
  std::vector<Registered> registered_ ABSL_GUARDED_BY(mu_);
  absl::Time heard_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();  // of anybody
  // A change of the map that is decided on, by this coordinator or the one before.
  std::optional<MapVersion> pending_ ABSL_GUARDED_BY(mu_);
  // The map before map_, while the change to that is not finished.
  std::optional<ShardMap> before_ ABSL_GUARDED_BY(mu_);
  std::map<Rank, Clock> committed_ ABSL_GUARDED_BY(mu_);  // as leases_ knows them
  std::map<std::string, std::shared_ptr<ShardLink>> links_ ABSL_GUARDED_BY(mu_);  // by address
  uint32_t target_ ABSL_GUARDED_BY(mu_) = 0;  // of Scale, shards
  uint32_t target_workers_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t moved_bytes_ ABSL_GUARDED_BY(mu_) = 0;  // since the shards were in balance
  bool balancing_ ABSL_GUARDED_BY(mu_) = false;  // chunks move
  Rebalance rebalance_ ABSL_GUARDED_BY(mu_) = job_.rebalance();
  LoadWatch loads_ ABSL_GUARDED_BY(mu_);
  std::vector<ShardMap> load_maps_ ABSL_GUARDED_BY(mu_);  // yet to come, one after the other
  uint64_t load_moved_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // A map, by epoch, and shards that it is right for.
  std::pair<uint64_t, std::vector<std::string>> settled_ ABSL_GUARDED_BY(mu_);
  std::string rescale_trouble_ ABSL_GUARDED_BY(mu_);
  // Chunks were taken over, and shards may still wait for what workers had pushed of them.
  bool recovering_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<ShardMap> map_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<ShardGroup> shards_ ABSL_GUARDED_BY(mu_);  // once they are configured
  MemberTable members_ ABSL_GUARDED_BY(mu_);
  TeamTable teams_ ABSL_GUARDED_BY(mu_);
  std::unique_ptr<DataLeases> leases_ ABSL_GUARDED_BY(mu_);
  uint64_t samples_ ABSL_GUARDED_BY(mu_) = 0;
  bool started_ ABSL_GUARDED_BY(mu_) = false;  // all expected workers were there
  bool ending_ ABSL_GUARDED_BY(mu_) = false;   // a worker was told that there is no more to do
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  // Draining, and the shards know where: at this step (sync; 0 otherwise).
  std::optional<uint64_t> stopped_at_ ABSL_GUARDED_BY(mu_);
  bool finished_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<Rank> evaluator_ ABSL_GUARDED_BY(mu_);
  std::optional<double> test_accuracy_ ABSL_GUARDED_BY(mu_);
  std::optional<double> test_auc_ ABSL_GUARDED_BY(mu_);
  std::optional<double> test_loss_ ABSL_GUARDED_BY(mu_);
  LossCurve curve_ ABSL_GUARDED_BY(mu_);
  std::string last_checkpoint_ ABSL_GUARDED_BY(mu_);
  std::pair<uint64_t, uint64_t> checkpoint_bytes_ ABSL_GUARDED_BY(mu_);  // that it wrote, and that it links
  // What WaitingFor says, and since when; kept up to date by Tick.
  std::pair<std::string, absl::Time> waiting_ ABSL_GUARDED_BY(mu_);
  std::string trouble_ ABSL_GUARDED_BY(mu_);  // why the last thing due could not be done

  SteadyNotification closing_;
  std::thread interval_;
  std::thread balance_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_COORDINATOR_IMPL_H_
