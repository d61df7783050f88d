#ifndef SYNCLINE_WORKER_LOCAL_LOCAL_TEAM_H_
#define SYNCLINE_WORKER_LOCAL_LOCAL_TEAM_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "common/memory/local_socket.h"
#include "common/memory/shared_memory.h"
#include "proto/coordinator.pb.h"
#include "worker/local/host_group.h"

namespace syncline {

// The leader's side of a host's processes: takes helpers in, tells them what to compute, and knows what
// each has made. A helper that goes, breaks the protocol or stays silent is lost: its socket is closed
// and its memory not read again. Helpers are numbered in the order in which they joined.
//
// Thread-safe. Own threads: one that accepts and one a helper that reads.
class LocalTeam {
 public:
  struct Options {
    LocalSocket listener;
    Rank rank = 0;
    Incarnation incarnation = 0;
    // The block the leader's weights lie in, and how many parameters there are.
    std::shared_ptr<SharedMemory> values;
    size_t parameters = 0;
    // How long a helper may take after the leader, in addition to as long as the step took so far.
    absl::Duration patience = absl::Seconds(15);
    // Told how many processes there are, on a thread of the team, after each change. May be null.
    std::function<void(int processes)> changed;
  };
  explicit LocalTeam(Options options);
  ~LocalTeam();

  // Lets all helpers go: with `over` they end, otherwise they elect another leader. Threads end.
  // Idempotent.
  void Stop(bool over);

  // The weights of the next step are being pulled, and have come. The latter on any thread.
  void BeginPull();
  void Ready(size_t parameter);

  // Cuts a step of at least one sample and tells the helpers their parts. Part 0 is the leader's, the
  // next ones those of the helpers there are; the rest has nobody. One step at a time.
  std::vector<HostPart> Begin(const StepLease& step, uint64_t batch_size);
  // The step is not made: its weights were not granted.
  void Abort();

  // The gradients of `part` (at least 1), if that of `parameter` is there: the block's first byte.
  // Null if it is not there, with `wait` only if the helper is lost. Valid until the next Begin.
  const char* Gradients(size_t part, size_t parameter, bool wait);
  // What `part` came to; none if its helper is lost. Waits.
  std::optional<BatchResult> Result(size_t part);

 private:
  struct Helper {
    LocalSocket socket;
    std::shared_ptr<SharedMemory> gradients;  // set before it takes part
    // Guarded by the team's mu_:
    bool live = false;
    std::vector<bool> made;
    std::optional<BatchResult> result;
  };

  void Accept();
  void Serve(const std::shared_ptr<Helper>& helper);
  absl::Status TakeIn(Helper* helper);
  void Note(Helper* helper, const HostMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Lose(Helper* helper) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Await(Helper* helper, const std::function<bool()>& there)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Tell(const Helper& helper, const HostMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // All who take part in the step under way.
  void TellAll(HostMessage::Kind kind, size_t parameter) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TellProcesses();

  const Options options_;
  absl::Mutex told_mu_ ABSL_ACQUIRED_BEFORE(mu_);  // calls of `changed` are in order
  mutable absl::Mutex mu_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::shared_ptr<Helper>> joining_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Helper>> helpers_ ABSL_GUARDED_BY(mu_);  // live ones
  std::vector<bool> ready_ ABSL_GUARDED_BY(mu_);  // of the pull under way or the last
  // The step under way, and who has its parts 1, 2, ...
  bool computing_ ABSL_GUARDED_BY(mu_) = false;
  Clock clock_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Time begun_ ABSL_GUARDED_BY(mu_);
  std::vector<std::shared_ptr<Helper>> parts_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> readers_ ABSL_GUARDED_BY(mu_);
  std::thread accepting_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_LOCAL_LOCAL_TEAM_H_
