#ifndef SYNCLINE_SERVER_ATTENDANCE_H_
#define SYNCLINE_SERVER_ATTENDANCE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/time/steady_notification.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/load_meter.h"

namespace syncline {

// A shard's life with the coordinator: it registers, and then keeps its membership alive with heartbeats, which say what
// it has to do. Thread-safe; does all on a thread of its own.
class Attendance {
 public:
  struct Options {
    std::string coordinator;  // as it is called in logs
    std::string address;      // of the shard
    uint64_t life = 0;        // of its process
    // What its chunks have cost so far.
    std::function<std::vector<ChunkWork>()> work;
  };

  ~Attendance() { End(); }
  // Once. `stub` must stay until End.
  void Begin(Options options, Coordinator::Stub* stub);
  void End();

  // Others have its chunks, and nobody needs it any more.
  bool retired() const { return retired_; }
  // ShardOptions::counted_on: the coordinator has said lately that the shard has a place in its map, which was none that
  // comes after `epoch`, and will not give it up before it has been silent for a lease.
  bool CountedOn(uint64_t epoch) const;

 private:
  void Attend();
  bool Register(RegisterShardReply* reply);

  Options options_;
  Coordinator::Stub* stub_ = nullptr;
  LoadMeter meter_;
  SteadyNotification ending_;
  std::atomic<bool> retired_{false};
  mutable absl::Mutex mu_;
  absl::Time counted_until_ ABSL_GUARDED_BY(mu_) = absl::InfinitePast();
  uint64_t counted_epoch_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_ATTENDANCE_H_
