#ifndef SYNCLINE_SERVER_HAND_OVER_H_
#define SYNCLINE_SERVER_HAND_OVER_H_

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "common/time/steady_condition.h"
#include "proto/parameter_server.pb.h"
#include "server/chunk_lane.h"
#include "server/lull.h"
#include "server/shard/shard_snapshot.h"

namespace syncline {

// Takes chunks to the shards that own them from now on, on threads of its own. Each is sent until its
// owner has it, however long that is away: nobody else has what it holds. An owner that does not expect
// it goes by other maps, as the job has begun anew. Thread-safe.
class HandOver {
 public:
  // `answers`: what chunks wait for, where workers get their weights before they need the chunks (sync); or null.
  HandOver(const ChunkLane::Options& lanes, std::shared_ptr<Lull> answers)
      : lanes_(lanes), answers_(std::move(answers)), thread_([this] { Run(); }) {}
  // What has not arrived by now does not arrive.
  ~HandOver();

  // For ShardOptions::hand_over. Returns at once.
  void Send(const ShardMap& map, std::vector<ChunkSnapshot> chunks);
  // What was to be handed over by maps before this one is not awaited any more: shards were lost.
  void GiveUpBefore(uint64_t map_epoch);

 private:
  struct Batch {
    ShardMap map;
    std::vector<ChunkSnapshot> chunks;
    uint64_t answers = 0;  // that had been given by then
  };

  void Run();
  // To each shard, each with a way of its own.
  using Lanes = std::vector<std::unique_ptr<ChunkLane>>;

  // The next one; nothing when none has come for a while. False: no more will.
  bool Wait(std::optional<Batch>* batch);
  void SendTo(const std::string& address, const Lanes& lanes, uint64_t map_epoch,
              const std::vector<ChunkSnapshot>& chunks);
  void SendMessage(const std::string& address, uint64_t map_epoch,
                   const std::function<absl::Status()>& attempt);
  bool GivenUp(uint64_t map_epoch) const;

  const ChunkLane::Options lanes_;
  const std::shared_ptr<Lull> answers_;
  mutable absl::Mutex mu_;
  bool closing_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t given_up_before_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Batch> batches_ ABSL_GUARDED_BY(mu_);
  SteadyCondition changed_;
  std::thread thread_;
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_HAND_OVER_H_
