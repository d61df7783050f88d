#ifndef SYNCLINE_SERVER_COORDINATOR_DATA_LEASES_H_
#define SYNCLINE_SERVER_COORDINATOR_DATA_LEASES_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "proto/checkpoint.pb.h"
#include "proto/coordinator.pb.h"

namespace syncline {

// Who trains on which samples. Every position of every epoch is leased once, and again only if the
// worker that held it is lost before it committed it; so each epoch covers each sample exactly once.
//
// sync: steps are planned in order, ahead of the workers. A step takes the next batch_size x N
// positions, cut evenly among the N workers live when it is planned, in rank order: they are its
// contributors, and every one of them gets it. A worker that stands for several processes counts as
// that many, here and below. What a step is thus depends on the workers live at
// planning time and nothing else; with REDO a lost one counts as live, since somebody will make up for it,
// so that every step is the one it would have been.
//
// bounded, async: each worker is given batches as it asks, so a fast one takes more; in bounded one
// that finds none left keeps up with steps of no samples, or the others would wait for it.
//
// Pure bookkeeping: no lock, no clock, no network. Thread-compatible.
class DataLeases {
 public:
  struct Options {
    SyncMode mode = SYNC;
    // sync: whether steps planned for a lost worker wait for its rank to be given out again.
    OnWorkerLoss on_loss = REDO;
    uint64_t samples = 0;
    // Per worker and step.
    uint64_t batch_size = 1;
    uint32_t epochs = 1;
    // Steps (sync) or steps a worker (bounded, async); 0: no limit.
    uint64_t max_steps = 0;
    // Steps leased ahead of a worker's clock.
    uint64_t horizon = 256;
  };

  // `samples`, `batch_size`, `epochs` and `horizon` are at least 1.
  explicit DataLeases(const Options& options);

  // Continues from a checkpoint taken at `manifest.step()`. Before anything else.
  void Restore(const CheckpointManifest& manifest);

  // The first step a worker that joins at rank `rank` now takes part in (sync): the one its lost
  // predecessor owes, else the first not planned.
  Clock FirstStep(Rank rank) const;

  // sync: plans nothing while a worker is being admitted, so that the step it is admitted at on every
  // shard is still the first not planned when it joins. Others get what is planned already.
  void Hold(bool hold) { hold_ = hold; }

  // `rank`, which stands for so many processes, joins at `clock` (sync: FirstStep; otherwise the lowest
  // live clock).
  void Join(Rank rank, Clock clock, uint32_t processes = 1);
  // sync and REDO: the rank of a lost worker that has steps to make, or will have, and nobody to make them.
  std::optional<Rank> Orphan() const;

  // `rank`, which has joined, stands for `count` processes from now on; at least 1.
  void SetProcesses(Rank rank, uint32_t count) { members_.at(rank).processes = count; }

  // Steps for `rank` from `from_clock` on. Empty and not finished: nothing for now, as others may
  // yet be lost; ask again. The rank must have joined.
  LeaseReply Lease(Rank rank, Clock from_clock);

  // `rank` has committed all clocks below `clock`; leases below it are done with.
  void Committed(Rank rank, Clock clock);

  // `rank` is gone, with all clocks below `clock` committed on every shard. Its other leases are
  // given back, or kept for the rank's next worker (sync and REDO, unless it `left` in good order).
  // Nothing if it has not joined.
  void Lost(Rank rank, Clock clock, bool left = false);

  // Every position of every epoch is committed (or max_steps reached), so training is over.
  bool Finished() const;

  // sync: keeps what Save(step) must know although workers go on beyond `step`. Until Unpin.
  void Pin(Clock step) { pin_ = step; }
  void Unpin();
  // The first step not planned (sync).
  Clock planned() const { return planned_; }

  // Where the data stands when exactly `step` steps are applied (sync) or now.
  void Save(Clock step, CheckpointManifest* manifest) const;

  // Positions committed since the job began or was restored, by all workers there were.
  uint64_t trained() const { return begun_with_ - Left(); }
  // Epochs trained on, by committed leases, as one number, e.g. 2.25.
  double Epoch() const;

 private:
  struct Range {
    uint64_t epoch = 0;
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  struct Member {
    bool live = false;
    // Lost, and its part in every step waits for its next incarnation (sync and REDO).
    bool awaited = false;
    uint32_t processes = 1;
    Clock committed = 0;
    // Leased and not committed, by clock; from the pin on, committed ones too.
    std::map<Clock, Range> held;

    std::map<Clock, Range>::const_iterator open() const { return held.lower_bound(committed); }
    bool idle() const { return open() == held.end(); }
    // New steps are planned with it.
    bool planned() const { return live || awaited; }
  };

  bool Exhausted() const;
  // Positions of all epochs that nobody has committed.
  uint64_t Left() const;
  uint64_t LiveProcesses() const;
  uint64_t FairShare() const;
  Range Take(uint64_t count);
  void GiveBack(Range range);
  void PlanStep();
  void PlanFor(Member& member, Clock until);
  void DropUnattendedSteps();

  const Options options_;
  uint64_t begun_with_ = 0;
  std::map<Rank, Member> members_;
  // Positions of epochs begun, not leased; ascending.
  std::deque<Range> free_;
  uint64_t next_epoch_ = 0;
  // sync: the first step not planned, and the contributors of those planned and not yet done.
  Clock planned_ = 0;
  bool hold_ = false;
  std::optional<Clock> pin_;
  std::map<Clock, std::vector<Rank>> contributors_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_COORDINATOR_DATA_LEASES_H_
