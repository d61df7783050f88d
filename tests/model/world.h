#ifndef SYNCLINE_TESTS_MODEL_WORLD_H_
#define SYNCLINE_TESTS_MODEL_WORLD_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "common/cluster/ids.h"
#include "proto/coordinator.pb.h"
#include "server/coordinator/data_leases.h"
#include "server/shard/shard.h"

namespace syncline {

// A whole cluster in one thread: real shards and real data leases, simulated workers, network and
// coordinator. A seeded scheduler chooses what happens next: a message arrives (perhaps a second
// time, perhaps long after its sender died), a worker dies, the coordinator says one thing to one
// shard, a worker returns. After every event the promises of docs/policies.md are checked.
//
// There is one tensor for each shard, with an element for each sample of each epoch. The gradient
// of a batch is -1 / count at its samples, so with rate 1 the weights say what was applied, and how
// often.
struct WorldOptions {
  SyncMode mode = SYNC;
  uint32_t workers = 2;
  uint32_t staleness = 0;
  uint32_t backup_workers = 0;
  OnWorkerLoss on_loss = REDO;
  int deaths = 0;  // at most

  // Mutations of the rules, which the checks must notice.
  uint32_t staleness_of_shards = 0;  // added to what the shards allow
  bool apply_duplicates = false;
  bool forget_commits = false;  // the coordinator takes the lowest committed clock, not the highest
};

class World {
 public:
  World(const WorldOptions& options, uint64_t seed);

  // Runs to the end of the job. Empty if all promises held, else which one did not, and when.
  std::string Run();

 private:
  static constexpr uint64_t kSamples = 12;
  static constexpr uint32_t kEpochs = 1;
  static constexpr uint32_t kBatch = 2;
  static constexpr int kShards = 2;

  enum class Kind { kPull, kPush, kCommit };
  struct Message {
    Kind kind;
    int shard;
    Rank rank;
    Incarnation incarnation;
    StepLease step;
    int copies = 0;
  };
  struct Worker {
    Incarnation incarnation = 0;
    bool alive = false;
    bool finished = false;
    std::deque<StepLease> leased;
    std::optional<StepLease> step;  // under way
    Kind phase = Kind::kPull;
    int awaited = 0;  // replies
    bool closed = false;
    Clock next = 0;  // clock
    bool asking = false;
  };
  // What the model knows of a worker on a shard.
  struct Seen {
    bool live = false;
    Clock committed = 0;
  };
  // Things the coordinator says to the shards, one after the other.
  struct Task {
    bool removing = true;
    Rank rank = 0;
    Incarnation incarnation = 0;
    int said = 0;
    Clock committed = 0;
    bool any = false;
    CommitRequest last_commit;
    Clock clock = 0;  // of an admission
  };

  void Join(Rank rank);
  void Send(Worker& worker, Rank rank, Kind kind);
  void Ask(Rank rank);
  void Advance(Rank rank);
  void Deliver(size_t index);
  void DeliverPull(const Message& m);
  void Granted(const Message& m, const Shard::PullResult& result);
  void DeliverPush(const Message& m);
  void DeliverCommit(const Message& m);
  void Reply(const Message& m);
  void Kill();
  void CoordinatorStep();
  void Remove(Task* task);
  void Inspect(int shard);
  void InspectStep(int shard, Clock step, const std::vector<float>& weights);
  bool Done() const;
  std::string Describe() const;
  void Fail(const std::string& what);
  std::vector<float> Gradient(const StepLease& step) const;
  Worker* Current(const Message& m);
  uint64_t Random(uint64_t n) { return random_() % n; }

  const WorldOptions options_;
  std::mt19937_64 random_;
  std::unique_ptr<Shard> shards_[kShards];
  DataLeases leases_;
  std::map<Rank, Worker> workers_;
  std::vector<Message> network_;
  std::deque<Task> tasks_;
  std::vector<Rank> absent_;  // lost and removed, to return
  int deaths_ = 0;
  uint64_t events_ = 0;
  std::string error_;

  std::map<Rank, Seen> seen_[kShards];
  std::map<std::pair<Rank, Incarnation>, std::map<Clock, StepLease>> steps_;
  std::map<Clock, std::vector<float>> history_;  // sync: weights before each step
  Clock reached_[kShards] = {};
  std::vector<float> weights_[kShards];
};

}  // namespace syncline

#endif  // SYNCLINE_TESTS_MODEL_WORLD_H_
