#ifndef SYNCLINE_WORKER_CLIENT_HEARTBEAT_H_
#define SYNCLINE_WORKER_CLIENT_HEARTBEAT_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/cluster/ids.h"
#include "common/time/steady_notification.h"
#include "proto/coordinator.grpc.pb.h"

namespace syncline {

// Keeps a worker's membership alive from a thread of its own, and reports its progress on the way.
// Thread-safe.
class Heartbeat {
 public:
  struct Told {
    // Once, if the cluster has given this incarnation up, or it has given up itself.
    std::function<void()> given_up;
    // The epoch of the shard map in force, time and again.
    std::function<void(uint64_t)> map_epoch;
  };

  // A beat every `period`. `coordinator` must outlive the heartbeat.
  Heartbeat(Coordinator::Stub* coordinator, Rank rank, Incarnation incarnation,
            absl::Duration period, Told told);
  ~Heartbeat();

  void Report(const WorkerProgress& progress);
  // Lets the membership end, at the next beat: there is none any more. Never blocks.
  void GiveUp() { gives_up_ = true; }
  bool expelled() const { return expelled_; }
  bool stopping() const { return stopping_; }
  bool stand_in_wanted() const { return stand_in_wanted_; }

 private:
  void Run(absl::Duration period);
  void End();

  Coordinator::Stub* const coordinator_;
  const Told told_;
  absl::Mutex mu_;
  HeartbeatRequest request_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> gives_up_{false};
  std::atomic<bool> expelled_{false};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> stand_in_wanted_{false};
  SteadyNotification closing_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_HEARTBEAT_H_
