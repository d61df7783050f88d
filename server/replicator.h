#ifndef SYNCLINE_SERVER_REPLICATOR_H_
#define SYNCLINE_SERVER_REPLICATOR_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "server/chunk_lane.h"
#include "server/shard/shard.h"

namespace syncline {

// Takes copies of chunks to the shards that keep them, on threads of its own: a few for each of those, so
// that one which is away holds up nobody else. Thread-safe.
class Replicator {
 public:
  using Done = CopiesSent;

  explicit Replicator(const ChunkLane::Options& lanes) : lanes_(lanes) {}
  ~Replicator() { Stop(); }

  // For ShardOptions::replicate. Returns at once; an attempt that fails takes a while to say so.
  void Send(const std::string& to, uint64_t map_epoch, std::vector<ChunkSnapshot> chunks, Done done);
  // From when this returns on, nothing is sent and nobody is told of anything.
  void Stop();

 private:
  struct Message {
    uint64_t map_epoch = 0;
    std::vector<ChunkSnapshot> chunks;
    Done done;
  };
  struct Place {
    std::deque<Message> messages;
    std::string last_error;  // that was logged
    std::vector<std::thread> threads;
  };

  void Run(const std::string& address);
  bool WaitForMessage(const std::string& address, Message* message);
  void Note(const std::string& address, const std::string& error);

  const ChunkLane::Options lanes_;
  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, Place> places_ ABSL_GUARDED_BY(mu_);
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_REPLICATOR_H_
