#ifndef SYNCLINE_SERVER_SHARD_CHUNK_TABLE_H_
#define SYNCLINE_SERVER_SHARD_CHUNK_TABLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "common/cluster/shard_map.h"
#include "common/optimizer/update_rule.h"
#include "common/tensor/fragments.h"
#include "common/threads/parallel_for.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"
#include "server/policy/sync_policy.h"
#include "server/shard/chunk_checks.h"
#include "server/shard/chunk_parts.h"
#include "server/shard/dedupe.h"
#include "server/shard/histogram.h"
#include "server/shard/shard_snapshot.h"
#include "server/store/chunk.h"
#include "server/store/chunk_maker.h"
#include "server/store/cold_reads.h"
#include "server/store/table_memory.h"
#include "server/store/row_slot.h"
#include "server/store/row_target.h"

namespace syncline {

// What pulls and pushes have cost so far of a chunk that is here.
struct ChunkWork {
  uint32_t chunk = 0;
  bool owned = false;       // or else a copy
  uint64_t bytes = 0;       // of gradients, keys with them, that were taken, and of weights that were read
  uint64_t held_bytes = 0;  // of memory that it takes, state and all
};

struct PulledChunk {
  uint32_t chunk = 0;
  uint64_t version = 0;
  // A copy-on-write snapshot: the bytes never change while `data` or a copy of it lives. Empty if
  // unchanged.
  Fragments data;
  // The version is the one the puller holds.
  bool unchanged = false;
};

// A slot of a table, of so many, and how many floats its rows have.
struct TableSlot {
  uint32_t slot = 0;
  uint32_t slots = 0;
  size_t dim = 0;
  size_t width = 0;  // with the optimizer's state
};

// The tensors' side of a shard: its chunks, what is staged for them and what was applied to them.
// It knows nothing of clocks, members or waiting; class Shard asks the sync policy and says when.
//
// Thread-safe: each chunk has a lock of its own, and no two are held at once.
class ChunkTable {
 public:
  struct Options {
    // As filled in by common/config.
    JobManifest job;
    ShardMap map;
    // This shard's place in `map.shards`.
    uint32_t shard = 0;
    // Spreads large pushes and steps over threads. Null does all in the calling thread.
    ParallelFor parallel_for;
    // Seconds since some moment; may be null.
    std::function<double()> seconds;
    // What the tables may take; null: as much as they like.
    std::shared_ptr<TableMemory> table_memory;
    // Tests only: takes every duplicate for a new push, to show that the model check notices.
    bool forget_pushes = false;
  };

  // Weights come from the initializers.
  static absl::StatusOr<std::unique_ptr<ChunkTable>> Create(Options options);

  // The chunks it owns, ascending.
  std::vector<uint32_t> ids() const;
  // Those that are no slots of tables.
  std::vector<uint32_t> dense_ids() const;
  size_t bytes() const { return bytes_; }  // of their weights
  // INVALID_ARGUMENT for a chunk there is not, ABORTED for one that is another shard's, UNAVAILABLE for
  // one that is on its way here. `leaving`: one that was handed over is all right too.
  absl::Status CheckOwned(uint32_t chunk, bool leaving = false) const;
  // Whether a copy of another shard's chunk is here.
  bool HasCopy(uint32_t chunk) const { return Find(chunk)->tenure == Tenure::kCopy; }
  // What a worker hands in is of chunks of this table, and as long as they are.
  absl::Status CheckFits(const WorkerState& state) const;
  // How many floats a chunk has; INVALID_ARGUMENT if there is no such chunk.
  absl::StatusOr<size_t> Elements(uint32_t chunk) const;
  // INVALID_ARGUMENT if the chunk is no table's slot.
  absl::StatusOr<TableSlot> SlotOf(uint32_t chunk) const;

  // Whether all of a push is right: chunks, sizes, numbers. Lists in `skipped` the chunks to leave
  // out (on_nonfinite: skip).
  absl::Status Check(absl::Span<const ChunkGradient> gradients, std::vector<uint32_t>* skipped);

  // Reads the rows that these gradients are of and that are cold, for Apply: as many as gradients.
  absl::StatusOr<std::vector<ColdReads>> ReadCold(absl::Span<const ChunkGradient> gradients) const;
  // Updates a chunk with a checked gradient, once per (rank, incarnation, clock). The schedule's
  // step is the chunk's number of updates over `live_workers`. Where rows cannot be read nothing happens.
  absl::Status Apply(const Sender& sender, Clock clock, const ChunkGradient& gradient, const ColdReads& cold,
                     size_t live_workers);
  // Keeps a checked gradient for ApplyStep, once per (rank, incarnation, clock).
  void Stage(const Sender& sender, Clock clock, const ChunkGradient& gradient);

  // FAILED_PRECONDITION naming the first chunk for which the push of `clock` is not staged.
  absl::Status CheckStaged(Rank rank, Incarnation incarnation, Clock clock) const;

  // The same for some chunks, staged by anybody of those given.
  absl::Status CheckStaged(const std::vector<uint32_t>& chunks, Rank rank, Incarnation incarnation,
                           Clock clock) const;

  // Every chunk's squared norm of the step's mean gradient.
  StepNormsReply MeanNorms(const SyncPolicy::ReadyStep& step) const;
  // Updates every chunk with the mean of the step's contributions weighted by samples, summed in
  // the order given, and forgets what was staged for it. One call at a time. Where rows cannot be read nothing happens.
  absl::Status ApplyStep(const SyncPolicy::ReadyStep& step, float gradient_scale);

  // The weights of owned or leaving dense chunks, in the order given; ABORTED if one has gone. `held`: as in
  // PullRequest, or empty.
  absl::StatusOr<std::vector<PulledChunk>> Read(absl::Span<const uint32_t> chunks,
                                                absl::Span<const uint64_t> held);
  // Whether all that a pull asks for is right: chunks there are, with keys where they are slots of a table. `keys`: as
  // many as chunks, or none.
  absl::Status CheckAsked(absl::Span<const uint32_t> chunks, absl::Span<const Fragments> keys) const;
  // The rows of owned or leaving slots under `keys`, checked and as many as slots: float32, in the order given, with
  // their optimizer's state or without. With `to`, as many as slots, they go there instead; INVALID_ARGUMENT for places
  // that are not.
  absl::StatusOr<std::vector<PulledChunk>> ReadRows(absl::Span<const uint32_t> slots, absl::Span<const Fragments> keys,
                                                    bool with_state = false, absl::Span<const RowTarget> to = {});

  // All chunks. Pushes that are staged do not count as applied.
  std::vector<ChunkSnapshot> Snapshot() const;
  // Memory for the updates after it.
  void PrepareForSnapshot() const;
  // INVALID_ARGUMENT if a chunk was made by another optimizer; some may have been restored then.
  absl::Status Restore(const StoredShard& stored);

  // Chunks come and go as the shard map says. Nothing may be pushed meanwhile.
  // Those to come. They count as owned once they have arrived.
  void Expect(const std::vector<uint32_t>& chunks);
  // They will not come after all.
  void ExpectNone();
  size_t arriving() const { return arriving_; }
  // Gives chunks away: nothing changes them any more, but they can be read until Release.
  std::vector<ChunkSnapshot> Leave(const std::vector<uint32_t>& chunks);
  // Takes chunks that are expected, or parts of them; those that are here already stay as they are. All or nothing:
  // FAILED_PRECONDITION for a chunk not expected, UNAVAILABLE for a part out of turn, else as Restore.
  absl::Status Arrive(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks);
  // Forgets what was given away, and copies that `map` does not say this shard, its place in it being
  // `shard`, keeps.
  void Release(const ShardMap& map, uint32_t shard);

  // Copies of other shards' chunks. Only their owners' messages change them.
  // Chunks as they are, for copies of them; those that are not here are left out. `held`: what the copies are like,
  // where that is known, of as many; what changed since will do for them.
  std::vector<ChunkSnapshot> Copy(absl::Span<const uint32_t> chunks,
                                  absl::Span<const std::optional<CopyState>> held = {}) const;
  // Takes copies, sent by the owners as map `epoch` has them. A copy that is older than what is here
  // changes nothing. Names those whose changes begin with what is not here. All or nothing but for those:
  // FAILED_PRECONDITION for a chunk this shard owns, UNAVAILABLE for a part out of turn, else as Restore.
  absl::StatusOr<std::vector<uint32_t>> Keep(uint64_t epoch, const std::vector<ChunkSnapshot>& chunks);
  // All that is here.
  std::vector<ChangeMapReply::Holding> Holdings() const;
  // Of a chunk that is here; FAILED_PRECONDITION if it is not.
  struct Held {
    Clock steps = 0;  // that are in it
    std::optional<float> gradient_scale;  // of the last of them
  };
  absl::StatusOr<Held> HeldHere(uint32_t chunk) const;
  // Copies, and what was given away, become this shard's own.
  void TakeOver(const std::vector<uint32_t>& chunks);

  // Of every chunk that is here and was pulled or pushed; counters only grow, but for a chunk that goes and comes again.
  std::vector<ChunkWork> Work() const;
  // Bytes and counts of what was done here.
  void FillStatus(ShardStatusReply* reply) const;

 private:
  struct Staged {
    Incarnation incarnation = 0;
    Clock clock = 0;
    ChunkGradient gradient;
  };
  enum class Tenure { kAbsent, kCopy, kArriving, kOwned, kLeaving };
  struct Slot {
    explicit Slot(const ChunkInfo& i) : info(i) {}

    // `step` is in it: drops what was staged for it and before.
    void Made(Clock step, float scale) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    void SetSums(const LayerSums& sums);
    void Count(uint64_t bytes) const { work.fetch_add(bytes, std::memory_order_relaxed); }
    // Takes a snapshot's place in the chunk's history: all of it, a change that fits, or the next part. False if others
    // are to come.
    absl::StatusOr<bool> Set(uint64_t epoch, const ChunkSnapshot& from, const ChunkMaker& maker)
        ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    absl::Status SetContent(const ChunkSnapshot& from, const ChunkMaker& maker) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu);
    // Whether a change may be made to the copy here.
    bool Follows(const ChunkSnapshot& change) const ABSL_SHARED_LOCKS_REQUIRED(mu) {
      return chunk && copied_epoch >= change.since->epoch && chunk->version() >= change.since->version &&
             chunk->version() <= change.version;
    }

    const ChunkInfo info;
    mutable absl::Mutex mu;
    std::atomic<Tenure> tenure{Tenure::kAbsent};  // written with mu held
    // Of an owned or leaving chunk, or a copy, which an arriving one may be so far.
    std::unique_ptr<Chunk> chunk ABSL_GUARDED_BY(mu);
    // sync: how many steps are in it.
    Clock steps ABSL_GUARDED_BY(mu) = 0;
    std::optional<float> gradient_scale ABSL_GUARDED_BY(mu);  // of the last of them
    // ChunkWork::bytes.
    mutable std::atomic<uint64_t> work{0};
    // Of a copy: the map it was sent by.
    uint64_t copied_epoch ABSL_GUARDED_BY(mu) = 0;
    std::unique_ptr<ChunkParts> parts ABSL_GUARDED_BY(mu);  // of what is coming
    Dedupe dedupe ABSL_GUARDED_BY(mu);
    std::map<Rank, Staged> staged ABSL_GUARDED_BY(mu);
    // Layer-wise rules: the parts of the tensor's norms that are this chunk's, of its last update.
    std::atomic<double> squared_weights{0};
    std::atomic<double> squared_update{0};
  };
  using Mean = std::vector<Contribution>;

  ChunkTable(Options options, std::shared_ptr<TableMemory> memory, std::unique_ptr<const ChunkMaker> maker);
  using Slots = std::vector<Slot*>;

  Slot* Find(uint32_t chunk) const;
  static absl::Status NotHere(uint32_t chunk);
  std::shared_ptr<const Slots> owned() const {
    absl::MutexLock lock(&owned_mu_);
    return owned_;
  }
  // After tenures have changed.
  void ListOwned();
  absl::Status CheckFits(const ChunkInfo& info, const ChunkSnapshot& snapshot) const;
  // What was counted of a table's slot is not forgotten with it.
  void KeepCounts(const Slot& slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot.mu);
  void FillTables(ShardStatusReply* reply) const;
  // Of their slots' updates that come after `step` others.
  UpdateSettings SettingsAt(const Slot& slot, double step) const;
  size_t RowBytes(absl::Span<const uint32_t> slots, absl::Span<const Fragments> keys) const;
  // Rows of one slot that a pull asks for; ABORTED if it has gone. Without `read`, whatever of them is cold is added to
  // `cold`, and nothing is read then.
  struct RowsAsked {
    const Fragments& keys;
    bool with_state = false;
    RowTarget to{};  // null: the result has them
  };
  absl::Status ReadRowsOf(Slot* slot, const RowsAsked& asked, const ColdReads* read, ColdReads* cold,
                          PulledChunk* result) const;
  absl::Status CheckAsked(uint32_t chunk, const Fragments* keys) const;
  // Brings all rows of a step to memory, or none.
  absl::Status FetchRows(const SyncPolicy::ReadyStep& step) ABSL_EXCLUSIVE_LOCKS_REQUIRED(room_mu_);
  // Moves pages of rows to disk until the tables take no more memory than they may, or nothing is left to move.
  // With no slot's lock held.
  void MakeRoom();
  // Whether there were some; an error if they could not be written.
  absl::StatusOr<bool> MoveOut(Slot* slot);
  // Of all of it, or what changed since `held` if that is given and known.
  ChunkSnapshot SnapshotOf(const Slot& slot, const std::optional<CopyState>& held = std::nullopt) const
      ABSL_SHARED_LOCKS_REQUIRED(slot.mu);
  // `passes`: how often the body goes over a chunk's weights or as many other bytes.
  void ForEach(size_t passes, const std::function<void(Slot*)>& body) const;
  const TensorSpec& TensorOf(const ChunkInfo& info) const {
    return options_.map.tensors(static_cast<int>(info.tensor));
  }
  bool TakeOnce(Slot* slot, const Sender& sender, Clock clock)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot->mu);
  double Seconds() const { return options_.seconds ? options_.seconds() : 0; }
  void Count(const ChunkGradient& gradient, std::optional<uint64_t> staleness, double applied);
  void UpdateAll(const SyncPolicy::ReadyStep& step, float gradient_scale) ABSL_EXCLUSIVE_LOCKS_REQUIRED(room_mu_);
  LayerSums TensorSums(uint32_t tensor) const;
  static Mean MeanOf(const Slot& slot, const SyncPolicy::ReadyStep& step)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(slot.mu);

  const Options options_;
  const std::shared_ptr<TableMemory> memory_;
  const std::unique_ptr<const ChunkMaker> maker_;
  std::vector<std::unique_ptr<Slot>> slots_;  // of all chunks of the job, by id
  std::vector<Slots> by_tensor_;
  Slots table_slots_;  // of all tables
  mutable absl::Mutex owned_mu_;
  std::shared_ptr<const Slots> owned_ ABSL_GUARDED_BY(owned_mu_);
  std::atomic<size_t> bytes_{0};
  std::atomic<size_t> arriving_{0};
  std::atomic<size_t> copies_{0};

  // Held by whoever moves rows out of memory, and alone by whoever needs them to stay. Before any slot's.
  absl::Mutex room_mu_;
  std::atomic<size_t> next_to_move_{0};
  // No room was found at so many bytes: it is looked for again above them.
  std::atomic<int64_t> no_room_at_{0};

  mutable absl::Mutex counters_mu_;
  uint64_t duplicates_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t nonfinite_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t pushed_bytes_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t pulled_bytes_ ABSL_GUARDED_BY(counters_mu_) = 0;
  uint64_t unchanged_bytes_ ABSL_GUARDED_BY(counters_mu_) = 0;
  double apply_seconds_ ABSL_GUARDED_BY(counters_mu_) = 0;
  Histogram version_staleness_ ABSL_GUARDED_BY(counters_mu_);
  // Of slots that are gone, by tensor.
  std::map<uint32_t, RowSlot::Counters> rows_gone_ ABSL_GUARDED_BY(counters_mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_CHUNK_TABLE_H_
