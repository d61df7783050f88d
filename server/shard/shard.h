#ifndef SYNCLINE_SERVER_SHARD_SHARD_H_
#define SYNCLINE_SERVER_SHARD_SHARD_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/shard/chunk_table.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// What came of copies that were sent: an error if they may not have arrived, else those that have to come whole.
using CopiesSent = std::function<void(const absl::StatusOr<std::vector<uint32_t>>& wanting)>;

struct ShardOptions {
  // As filled in by common/config: enums and hyper-parameters set, or their documented defaults.
  JobManifest job;
  ShardMap map;
  // This shard's place in `map.shards`, or past its end: it has none yet. Shard 0 decides which backup
  // workers make a step.
  uint32_t shard = 0;
  // No other Shard's, as versions of chunks are not either: one that takes a given up one's place counts them anew.
  uint64_t life = 1;
  // Spreads large pushes, steps and answers over threads. Null does all in the calling thread.
  ParallelFor parallel_for;
  // sync with clip_norm and several shards: a step has all its commits and waits for the squared
  // norms of the other shards; the owner fetches them (StepNorms) and gives them to SetPeerNorms.
  // Runs outside any lock.
  std::function<void(uint64_t step)> norms_wanted;
  // Takes chunks that are no longer this shard's to their owners by `map`, however long that takes; the
  // bytes stay as they are. Runs outside any lock. Null: there is no other shard.
  std::function<void(const ShardMap& map, std::vector<ChunkSnapshot> chunks)> hand_over;
  // Told when weights begin to be given to a worker, and when that is done; outside any lock. May be null.
  std::function<void(bool begins)> answering;
  // Sends copies of chunks to the shard at `to`, as owned by map `epoch`, and says whether they arrived,
  // on another thread. An attempt that fails is not made again at once. Null: nobody keeps copies.
  std::function<void(const std::string& to, uint64_t epoch, std::vector<ChunkSnapshot> chunks, CopiesSent done)>
      replicate;
  // Told of every later map that this shard goes by, and its place in it, before the first step of it;
  // with locks held, so it must not call the shard. May be null.
  std::function<void(const MapVersion& next, uint32_t shard)> map_changes;
  // For a shard that joins a running job: what another one knows of the members.
  std::optional<PolicyState> members;
  // Whether the coordinator cannot have given up a shard that goes by map `epoch`: no push is acknowledged that the copies
  // here lack. Must not block. Null: it never does.
  std::function<bool(uint64_t epoch)> counted_on;
  // Seconds since some moment, by a clock that nobody sets: how long updates take, and since when nobody has pushed a row.
  // Null: no time passes.
  std::function<double()> seconds;
  // What the rows of tables may take. Null: as much as they like.
  std::shared_ptr<TableMemory> table_memory{};
  // Tests only: takes every duplicate for a new push, to show that the model check notices.
  bool forget_pushes_for_test = false;
};

// The weights of one shard under a sync policy: the whole server, less the network. It checks a
// request completely before it changes anything, so a refused request has no effect.
//
// Thread-safe. Callbacks run without any lock held, at once in the caller's thread or later in the
// thread of whoever made them possible, or one of parallel_for's.
//
// Errors: INVALID_ARGUMENT for a request that can never be right (sizes, chunk numbers, NaN);
// FAILED_PRECONDITION for one of a worker that is not (or no longer) a member; ABORTED for one that goes
// by an old shard map (GetMap has the new one), UNAVAILABLE for one that must be asked again.
class Shard {
 public:
  using ChunkGradient = syncline::ChunkGradient;
  using PulledChunk = syncline::PulledChunk;
  struct PushResult {
    // Chunks left out because they hold NaN or infinity (on_nonfinite: skip). In sync the worker
    // then commits the step with 0 samples, so that all of its contribution stays out.
    std::vector<uint32_t> skipped;
    // Members that are not removed.
    size_t live_workers = 1;
  };
  struct PullResult {
    Clock clock = 0;
    PullReply::Verdict verdict = PullReply::GRANTED;
    // A snapshot waits for what the worker carries: see KeepWorkerState.
    bool state_wanted = false;
    uint64_t map_epoch = 0;
    // In the order asked for. Empty unless granted.
    std::vector<PulledChunk> chunks;
  };
  struct PullSpec {
    Clock clock = 0;
    // Empty: all of the shard's own, but no tables'.
    std::vector<uint32_t> chunks;
    // An observer never waits and need not be a member.
    bool observer = false;
    // As in PullRequest, for a puller who has pulled from this shard before.
    std::vector<uint64_t> held;
    // Only waits: no chunks at all.
    bool only_waits = false;
    // Of slots of tables, the keys of the rows that are wanted: as many as chunks. Otherwise empty, and so for chunks that
    // are all dense.
    std::vector<Fragments> keys{};
    // bounded, async: copies of other shards' chunks will do.
    bool copies = false;
    // Where the rows of each go, in memory that `done` keeps. Empty: the result has them.
    std::vector<RowTarget> rows_to{};
    // Rows with their optimizer's state.
    bool with_state = false;
  };
  using PullDone = std::function<void(absl::StatusOr<PullResult>)>;
  using SnapshotDone = std::function<void(absl::StatusOr<ShardSnapshot>)>;
  // Names a waiting pull. 0 names none.
  using PullTicket = uint64_t;

  // Weights come from the initializers; no worker is admitted yet.
  static absl::StatusOr<std::unique_ptr<Shard>> Create(ShardOptions options);

  // Closes.
  virtual ~Shard() = default;

  // Answers whatever waits, and whatever would wait later, with CANCELLED.
  virtual void Close() = 0;

  // As in ShardOptions.
  virtual uint64_t life() const = 0;
  // How many floats a chunk has, here or elsewhere.
  virtual absl::StatusOr<size_t> Elements(uint32_t chunk) const = 0;
  // INVALID_ARGUMENT for a chunk that is no table's slot.
  virtual absl::StatusOr<TableSlot> SlotOf(uint32_t chunk) const = 0;
  // Gradients are kept from Push until their step is made (sync). Otherwise they are done with when Push returns.
  virtual bool keeps_gradients() const = 0;

  // Whether a push may come in one message with its step's commit: in sync not where that map has other
  // shards, which must have acknowledged theirs first. True for a map that is past: what is wrong is not that.
  virtual bool CommitsWithPush(uint64_t map_epoch) const = 0;

  // The shard maps that workers are to go by.
  virtual GetMapReply GetMap() const = 0;
  // A change of the map, phase by phase: see ChangeMapRequest.
  virtual absl::StatusOr<ChangeMapReply> ChangeMap(const ChangeMapRequest& request) = 0;
  // Takes chunks that are this shard's from map `epoch` on. Again is a success.
  virtual absl::Status Arrive(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) = 0;

  // Keeps copies of chunks that are another shard's by map `epoch`. Names those that have to come whole, as what their
  // changes begin with is not here.
  virtual absl::StatusOr<std::vector<uint32_t>> Keep(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks) = 0;

  // Applies (bounded, async) or stages (sync) gradients. A chunk that was already pushed under
  // (rank, incarnation, clock) is left as it is; the call returns once the first push is in.
  virtual absl::StatusOr<PushResult> Push(const Sender& sender, Clock clock,
                                          absl::Span<const ChunkGradient> chunks) = 0;

  // bounded, async: calls `done` once every copy has what was pushed so far, so that the loss of a shard
  // does not undo it; at once or later. In sync a pull for the next step waits for that instead.
  virtual void WhenSafe(std::function<void(absl::Status)> done) = 0;

  // For who was refused with UNAVAILABLE: calls `then` once all chunks that are on their way are here, or it is known
  // that they will not come, or with an error when the shard closes. False if none is on its way.
  virtual bool WhenArrived(std::function<void(absl::Status)> then) = 0;

  // The weights of chunks once the policy allows the pull's clock, and they are here. `done` runs exactly once. The
  // ticket is 0 if `done` ran at once.
  virtual PullTicket Pull(const Sender& sender, PullSpec pull, PullDone done) = 0;
  // Answers a pull that still waits with CANCELLED, in this thread; otherwise does nothing.
  virtual void CancelPull(PullTicket ticket) = 0;

  // Ends a worker's step. False: a backup worker came too late and its contribution is dropped.
  // The same commit again gets the same answer. `contributors` is for sync, ascending.
  virtual absl::StatusOr<bool> Commit(const Sender& sender, Clock clock, uint64_t samples,
                                      std::vector<Rank> contributors) = 0;

  // Admits, fences, removes. Each may be repeated. When FENCE has returned, nothing more of the
  // incarnation takes effect; its waiting pulls are answered with FAILED_PRECONDITION.
  virtual absl::StatusOr<UpdateMemberReply> UpdateMember(const UpdateMemberRequest& request) = 0;

  // sync: pulls for step `step` and later are answered STOPPED, and snapshots asked for a later one
  // with FAILED_PRECONDITION. Refused when the shard has let workers begin that step already.
  virtual StopAtReply StopAt(uint64_t step) = 0;

  // sync: a snapshot when exactly `step` steps are applied; FAILED_PRECONDITION when past it, or when
  // the workers carry state and have begun the step.
  // Otherwise a snapshot now, each chunk between two of its updates.
  virtual void SnapshotAt(uint64_t step, SnapshotDone done) = 0;
  // Updates may not write over what a snapshot holds, so those that follow it write to other memory: this makes that
  // ready. Whoever asks for a snapshot calls it meanwhile, on a thread that has time.
  virtual void PrepareForSnapshot() = 0;
  // Fills in what the workers carry, once they have handed it in, as the answers to their pulls ask
  // them to. Blocks, for `patience` at most: then some of it is missing, and the ranks are returned.
  virtual std::vector<Rank> AwaitWorkerStates(absl::Duration patience, ShardSnapshot* snapshot) = 0;

  // A worker hands in what it carries, of this shard's chunks; `leaving`: whoever has its rank next
  // goes on from it.
  virtual absl::Status KeepWorkerState(const Sender& sender, WorkerState state, bool leaving) = 0;
  // What the rank's last worker handed in as it left, or the checkpoint held. Given to one incarnation
  // only. Null: nothing.
  virtual absl::StatusOr<std::shared_ptr<const WorkerState>> FetchWorkerState(
      const Sender& sender) = 0;

  // Takes this shard's chunks, and copies that it keeps, from what is stored. Before any worker is admitted. A shard of
  // which it failed may hold anything: drop it.
  virtual absl::Status Restore(const StoredShard& stored) = 0;

  // sync with clip_norm: the squared norms of own chunks for `step`, the one that waits for norms
  // or the one before; UNAVAILABLE when it is not ready yet: ask again.
  virtual absl::StatusOr<StepNormsReply> StepNorms(uint64_t step) const = 0;
  // Another shard's answer; repeated ones are harmless. The step is applied with the last one: false while
  // others are missing.
  virtual absl::StatusOr<bool> SetPeerNorms(uint64_t step, const StepNormsReply& norms) = 0;

  virtual ShardStatusReply Status() const = 0;
  // What each chunk that is here has cost so far.
  virtual std::vector<ChunkWork> Work() const = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_SHARD_H_
