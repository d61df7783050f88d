#ifndef SYNCLINE_SERVER_SHARD_WORKER_STATES_H_
#define SYNCLINE_SERVER_SHARD_WORKER_STATES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// What workers carry from step to step (WorkerState), on its way into checkpoints and to the next
// worker of a rank. A snapshot asks the live workers for it; each is told so with the answer to a
// pull, and hands it in while training goes on. Nothing of it is kept longer than a snapshot needs it,
// but for what workers handed in as they left and what a checkpoint held.
//
// Thread-safe.
class WorkerStates {
 public:
  using State = std::shared_ptr<const WorkerState>;
  // Rank and incarnation.
  using Worker = std::pair<Rank, Incarnation>;
  // Names a snapshot's asking.
  using Ticket = uint64_t;

  // `by_clock` (sync): what is asked for is the state before step `clock`, else any from now on.
  explicit WorkerStates(bool by_clock) : by_clock_(by_clock) {}

  // Asks `workers` for their state before step `clock`.
  Ticket Ask(Clock clock, std::set<Worker> workers);
  // Whether a worker that begins step `clock` has been asked and has not answered yet.
  bool Wanted(const Worker& worker, Clock clock) const;

  // A worker hands its state in; for good, if it is `leaving`.
  void Keep(const Worker& worker, State state, bool leaving);
  // Nothing more will come of it.
  void Forget(const Worker& worker);

  // Blocks until all that were asked have answered or are gone, or for `patience`. Returns what came,
  // and what those who left before handed in, by rank; the ticket is used up. `missing`: who did not
  // answer.
  std::vector<State> Take(Ticket ticket, absl::Duration patience, std::vector<Rank>* missing);

  // What the rank's last worker left, or a checkpoint held; given to one incarnation only, as often as
  // it asks. Null if there is none.
  State Inherit(const Worker& worker);
  // From a checkpoint, for the next worker of the rank.
  void Restore(State state);

  // Whoever waits, waits no more.
  void Close();

 private:
  struct Question {
    Clock clock = 0;
    std::set<Worker> open;
    std::map<Rank, State> answers;
  };
  struct Legacy {
    State state;
    Incarnation heir = 0;  // 0: nobody yet
  };

  void EndLegacyOf(const Worker& heir) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const bool by_clock_;
  mutable absl::Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  Ticket last_ticket_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<Ticket, Question> questions_ ABSL_GUARDED_BY(mu_);
  std::map<Rank, Legacy> legacies_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_SHARD_WORKER_STATES_H_
