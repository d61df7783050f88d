#ifndef SYNCLINE_SERVER_SHARD_SHARD_IMPL_H_
#define SYNCLINE_SERVER_SHARD_SHARD_IMPL_H_

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/cluster/team_size.h"
#include "common/cluster/worker_state.h"
#include "server/policy/sync_policy.h"
#include "server/shard/chunk_table.h"
#include "server/shard/histogram.h"
#include "server/shard/map_state.h"
#include "server/shard/norm_exchange.h"
#include "server/shard/replication.h"
#include "server/shard/shard.h"
#include "server/shard/worker_states.h"

namespace syncline {

// Callbacks gathered under the lock, to run after it.
using Calls = std::vector<std::function<void()>>;

// The members' side of a shard: it asks the policy what may happen, and has the chunk table do it. What
// workers ask of it is in shard.cc, what the coordinator does in shard_control.cc, how chunks come and go in
// shard_map_change.cc, and their copies in shard_copies.cc.
class ShardImpl final : public Shard {
 public:
  ShardImpl(ShardOptions options, std::unique_ptr<SyncPolicy> policy,
            std::unique_ptr<ChunkTable> chunks)
      : options_(std::move(options)),
        staged_(policy->staged()),
        workers_carry_state_(WorkersCarryState(options_.job)),
        worker_states_(staged_),
        chunks_(std::move(chunks)),
        norms_(options_.map.owner_size(), options_.job.optimizer().clip_norm()),
        replication_(ShareOf(options_.map)),
        policy_(std::move(policy)),
        maps_(options_.map, options_.shard, staged_) {
    absl::MutexLock lock(&mu_);
    UpdateCopies(true);
  }

  ~ShardImpl() override { ShardImpl::Close(); }
  void Close() override;

  bool CommitsWithPush(uint64_t map_epoch) const override;
  GetMapReply GetMap() const override;
  absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest& request) override;
  absl::Status Arrive(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) override;
  absl::StatusOr<std::vector<uint32_t>> Keep(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) override;
  void WhenSafe(std::function<void(absl::Status)> done) override;
  bool WhenArrived(std::function<void(absl::Status)> then) override;
  uint64_t life() const override { return options_.life; }
  absl::StatusOr<size_t> Elements(uint32_t chunk) const override {
    return chunks_->Elements(chunk);
  }
  absl::StatusOr<TableSlot> SlotOf(uint32_t chunk) const override { return chunks_->SlotOf(chunk); }
  bool keeps_gradients() const override { return staged_; }
  absl::StatusOr<PushResult> Push(const Sender& sender, Clock clock,
                                  absl::Span<const ChunkGradient> gradients) override;
  PullTicket Pull(const Sender& sender, PullSpec pull, PullDone done) override;
  void CancelPull(PullTicket ticket) override;
  absl::StatusOr<bool> Commit(const Sender& sender, Clock clock, uint64_t samples,
                              std::vector<Rank> contributors) override;
  absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) override;
  StopAtReply StopAt(uint64_t step) override;
  void PrepareForSnapshot() override { chunks_->PrepareForSnapshot(); }
  void SnapshotAt(uint64_t step, SnapshotDone done) override;
  std::vector<Rank> AwaitWorkerStates(absl::Duration patience, ShardSnapshot* snapshot) override;
  absl::Status KeepWorkerState(const Sender& sender, WorkerState state, bool leaving) override;
  absl::StatusOr<std::shared_ptr<const WorkerState>> FetchWorkerState(
      const Sender& sender) override;
  absl::Status Restore(const StoredShard& stored) override;
  absl::StatusOr<StepNormsReply> StepNorms(uint64_t step) const override {
    return norms_.Own(step);
  }
  absl::StatusOr<bool> SetPeerNorms(uint64_t step, const StepNormsReply& norms) override;
  ShardStatusReply Status() const override;
  std::vector<ChunkWork> Work() const override { return chunks_->Work(); }

 private:
  struct Waiting {
    Sender sender;
    PullSpec spec;
    PullDone done;
  };

  struct MadeStep {
    SyncPolicy::ReadyStep step;
    float scale = 1;
  };
  // sync, after chunks of a lost shard were taken over: what workers had pushed of them went with it.
  struct Recovery {
    std::vector<uint32_t> chunks;
    // A step that was made here before; chunks that were taken over may lack it.
    std::optional<MadeStep> redo;
    // clip_norm, and the lost shard made the present step: by what it was scaled.
    std::optional<float> scale;
    // Who has to push them, and to commit, again, and which clock.
    std::map<Rank, Clock> awaited;
    // One of those is gone.
    bool hopeless = false;
  };

  absl::Status CheckMember(const Sender& sender) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckSender(const Sender& sender, Clock clock, MapState::Call call) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckReadable(const PullSpec& pull) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether a copy has all that was acknowledged.
  bool ReadsCopy(uint32_t chunk) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CheckOrder(const ChangeMapRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<bool> ChangeMap(const ChangeMapRequest& request, Calls* calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void BeginAt(Clock step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveAway(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  static Replication::Share ShareOf(const ShardMap& map);
  void UpdateCopies(bool made) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Replicate();
  // Copies for a message, which then says what they are sent as.
  std::vector<ChunkSnapshot> CopyFor(uint64_t epoch, Replication::Message* message) const;
  void AnswerSafe(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Tells who waits for chunks that nothing is on its way any more.
  void TellArrived();
  absl::Status TakeOver(const MapVersion& next, uint32_t shard, Calls* calls)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::optional<Recovery>> PlanRecovery(const std::vector<uint32_t>& taken) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What a commit is refused with for want of a push. Of a team it is said by one process, and the pushes by
  // several: after a loss of a shard they may be on their way once more.
  absl::Status AskAgain(const absl::Status& staged) const {
    if (staged.ok() || !PushesTogether(options_.job) || options_.job.replicas() <= 1) return staged;
    return absl::UnavailableError(staged.message());
  }
  absl::Status CommitAgain(const Sender& sender, Clock clock) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool TakesAgain(Clock clock) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return recovery_ && recovery_->redo && recovery_->redo->step.step == clock;
  }
  bool Recovered() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string Recovering() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Whether all that a worker committed is made, and would outlive this shard.
  bool IsSafe(Rank rank) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t LiveWorkers() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t AskForWorkerStates() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Update(const UpdateMemberRequest& request, UpdateMemberReply* reply)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::optional<absl::StatusOr<PullResult>> Answer(const Waiting& pull)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<std::vector<PulledChunk>> Read(const PullSpec& pull);
  void Deliver(const Waiting& pull, absl::StatusOr<PullResult> answer);
  void RowsRead();
  void Proceed();
  void ApplyReadySteps(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // What the step's gradient is scaled by; nothing while the norms of other shards are missing.
  std::optional<float> ScaleOf(const SyncPolicy::ReadyStep& step, Calls* calls);
  void TakeSnapshots(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AnswerWaiting(Calls* calls) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const ShardOptions options_;
  const bool staged_;
  const bool workers_carry_state_;
  WorkerStates worker_states_;
  const std::unique_ptr<ChunkTable> chunks_;
  NormExchange norms_;
  Replication replication_;

  // Shared by pushes and commits; a change of members takes it alone, so that nothing of a fenced
  // worker is under way when it returns. Before mu_.
  absl::Mutex members_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  mutable absl::Mutex mu_;
  std::unique_ptr<SyncPolicy> policy_ ABSL_GUARDED_BY(mu_);
  MapState maps_ ABSL_GUARDED_BY(mu_);
  std::pair<uint64_t, uint64_t> last_map_call_ ABSL_GUARDED_BY(mu_);  // generation and number
  // A thread is applying a step, without mu_. It looks at everything again before it goes.
  bool applying_ ABSL_GUARDED_BY(mu_) = false;
  // Why the step that is ready could not be made: rows could not be read.
  absl::Status not_made_ ABSL_GUARDED_BY(mu_);
  // sync: pulls of rows that were granted and are being read.
  int reading_rows_ ABSL_GUARDED_BY(mu_) = 0;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<PullTicket, Waiting> waiting_ ABSL_GUARDED_BY(mu_);
  std::multimap<Replication::Moment, std::function<void(absl::Status)>> unsafe_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void(absl::Status)>> awaiting_chunks_ ABSL_GUARDED_BY(mu_);
  std::optional<MadeStep> last_made_ ABSL_GUARDED_BY(mu_);  // sync
  std::optional<Recovery> recovery_ ABSL_GUARDED_BY(mu_);
  PullTicket last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  std::multimap<Clock, SnapshotDone> snapshots_ ABSL_GUARDED_BY(mu_);
  // One more than the highest clock of which a pull was granted.
  Clock begun_ ABSL_GUARDED_BY(mu_) = 0;
  Histogram clock_staleness_ ABSL_GUARDED_BY(mu_);
  uint64_t pushes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
};

inline absl::Status ShardClosing() { return absl::CancelledError("the shard is closing"); }

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_SHARD_IMPL_H_
