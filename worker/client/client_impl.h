#ifndef SYNCLINE_WORKER_CLIENT_CLIENT_IMPL_H_
#define SYNCLINE_WORKER_CLIENT_CLIENT_IMPL_H_

#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/cluster/worker_state.h"
#include "common/memory/local_link.h"
#include "common/rpc/completion_loop.h"
#include "common/status/status_macros.h"
#include "common/threads/thread_pool.h"
#include "common/time/steady_now.h"
#include "proto/coordinator.grpc.pb.h"
#include "worker/client/cached_rows.h"
#include "worker/client/call_group.h"
#include "worker/client/client.h"
#include "worker/client/gather.h"
#include "worker/client/heartbeat.h"
#include "worker/client/held_weights.h"
#include "worker/client/lent_pool.h"
#include "worker/client/pull_operation.h"
#include "worker/client/route_table.h"
#include "worker/client/router.h"
#include "worker/client/shard_connection.h"
#include "worker/client/slot_rows.h"
#include "worker/client/state_keeper.h"
#include "worker/client/tensor_requests.h"

namespace syncline {

// What is said to the coordinator, and the ways to the shards, are in client.cc; pulls, pushes and commits in
// client_steps.cc, of rows in client_rows.cc and client_cache.cc, and what is said again when a shard is lost in
// client_replay.cc. One that reads checkpoints (client_serving.cc) has no coordinator.
class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, std::unique_ptr<Coordinator::Stub> coordinator,
             JoinWorkerReply joined)
      : options_(std::move(options)),
        coordinator_(std::move(coordinator)),
        joined_(std::move(joined)) {
    if (joined_.lease_ms() == 0) return;  // it is another process's member
    heartbeat_ = std::make_unique<Heartbeat>(
        coordinator_.get(), joined_.rank(), joined_.incarnation(),
        absl::Milliseconds(joined_.lease_ms()) / 4,
        Heartbeat::Told{[this] { EndCalls(); }, [this](uint64_t epoch) { Hint(epoch); }});
  }
  ~ClientImpl() override;

  Rank rank() const override { return joined_.rank(); }
  Incarnation incarnation() const override { return joined_.incarnation(); }
  const JobManifest& job() const override { return joined_.job(); }

  absl::Status CreateTensors(absl::Span<const TensorSpec> tensors) override;
  std::vector<TensorSpec> tensors() const override { return tensors_; }
  // Goes by `map` from now on. `codecs`: by tensor.
  absl::Status StartRoutes(const ShardMap& map, std::vector<TensorCodecs> codecs);
  void Lend(std::shared_ptr<const SharedMemory> memory) override;
  int shards_on_this_host() const override;
  int shards() const override { return static_cast<int>(routes_->newest()->shards.size()); }
  void Pull(Clock clock, const Destination& to, PullDone done) override {
    PullAll(clock, reads_only(), to, std::move(done));
  }
  void Observe(const Destination& to, Done done) override {
    PullAll(0, true, to, [done = std::move(done)](auto outcome) { done(outcome.status()); });
  }
  void Push(Clock clock, absl::Span<const Gradient> gradients, Done done) override;
  void Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
              CommitDone done) override;
  void PullRows(Clock clock, absl::Span<const RowPull> pulls, PullDone done) override;
  void ObserveRows(absl::Span<const RowPull> pulls, Done done) override {
    FetchRows(0, true, pulls, false, [done = std::move(done)](auto outcome) { done(outcome.status()); });
  }
  RowCacheCounts row_cache() const override;
  void PushRows(Clock clock, absl::Span<const RowPush> pushes, Done done) override;
  std::vector<Chunk> chunks() const override;
  void ObserveChunks(absl::Span<const uint32_t> chunks, const Destination& to, Done done) override {
    PullSome(0, true, chunks, to, [done = std::move(done)](const auto& outcome) { done(outcome.status()); });
  }
  void PullChunks(Clock clock, absl::Span<const uint32_t> chunks, const Destination& to,
                  PullDone done) override {
    PullSome(clock, reads_only(), chunks, to, std::move(done));
  }
  void PushChunks(Clock clock, absl::Span<const uint32_t> chunks, absl::Span<const float* const> tensors,
                  Done done) override;
  void PushPull(const StepEnd& step, absl::Span<const Gradient> gradients, const Destination& to,
                PullDone done) override;
  absl::StatusOr<LeaseReply> Lease(uint64_t samples, Clock from_clock, Clock committed) override;
  void SetProcesses(int count) override { processes_ = count; }
  bool carries_state() const override { return WorkersCarryState(job()); }
  absl::StatusOr<bool> TakeOverState(OwnState* own) override {
    if (!carries_state() || routes_ == nullptr) return false;
    SYNCLINE_ASSIGN_OR_RETURN(StateKeeper* const keeper, KeeperNow());
    return keeper->TakeOver(own);
  }
  absl::Status HandInState(Clock clock, const OwnState& own, bool leaving) override {
    if (!carries_state() || routes_ == nullptr) return absl::OkStatus();
    SYNCLINE_ASSIGN_OR_RETURN(StateKeeper* const keeper, KeeperNow());
    return keeper->HandIn(clock, own, leaving);
  }
  void Report(const WorkerProgress& progress) override {
    if (heartbeat_ != nullptr) heartbeat_->Report(progress);
  }
  bool expelled() const override { return heartbeat_ != nullptr && heartbeat_->expelled(); }
  bool stopping() const override { return heartbeat_ != nullptr && heartbeat_->stopping(); }
  bool stand_in_wanted() const override {
    return heartbeat_ != nullptr && heartbeat_->stand_in_wanted();
  }
  absl::Status Leave(Clock clock, const WorkerProgress& progress) override;

 private:
  using Group = Router::Group;
  // Of lent memory one message may name this much: enough for a shard to spread over its cores, and not
  // too much for the network if the link ends.
  static constexpr size_t kLentBytes = size_t{32} << 20;
  bool reads_only() const { return coordinator_ == nullptr; }
  // FAILED_PRECONDITION for who only reads.
  absl::Status CheckTrains() const;
  Sender MakeSender() const;
  absl::Time Deadline() const { return SteadyNow() + options_.deadline; }
  std::string CoordinatorName() const {
    return absl::StrCat("the coordinator at ", options_.coordinator);
  }
  // Rows of tables, by tensor; null for others. Empty: no rows.
  using RowsOf = std::vector<std::shared_ptr<const SlotRows>>;
  // Gradients, by tensor.
  struct Gradients {
    std::vector<const float*> tensors;
    RowsOf rows;
  };
  // Those that were checked, and how they go.
  struct Outgoing {
    RouteTable::Ptr route;
    Gradients from;
    Router::Messages messages = Router::kLarge;  // of the groups, and of the pull that goes along
    std::vector<Group> groups;
  };
  // A pull under way, and what it takes to send a part of it again.
  struct Pulling {
    Clock clock = 0;
    bool observer = false;
    bool untouched = false;
    std::vector<float*> tensors;
    RowsOf rows;
    std::shared_ptr<PullOperation> operation;
    bool with_state = false;
  };
  // The clock whose map says who answers it.
  static Clock RouteClock(const Pulling& pull) { return pull.observer ? RouteTable::kNewest : pull.clock; }
  Router::Messages MessagesNow() const;
  absl::Status CheckFits(const Destination& to) const;
  absl::StatusOr<Outgoing> Check(Clock clock, absl::Span<const Gradient> gradients) const;
  Pulling BeginPull(Clock clock, bool observer, size_t groups, const Destination& to,
                    PullDone done);
  void SendPull(const Pulling& pull, const Route& route, const Group& group);
  void Pulled(const Pulling& pull, const Group& group, absl::StatusOr<grpc::ByteBuffer> reply);
  void PullAgain(const Pulling& pull, const Group& group);
  // What was asked of a group's shard, of who owns the chunks by the newest map.
  void PullFromOwners(const Pulling& pull, const Group& group);
  // `with_state`: rows as CachedRows keeps them, for tables that have one.
  void FetchRows(Clock clock, bool observer, absl::Span<const RowPull> pulls, bool with_state, PullDone done);
  void PullAll(Clock clock, bool observer, const Destination& to, PullDone done);
  void PullSome(Clock clock, bool observer, absl::Span<const uint32_t> chunks, const Destination& to, PullDone done);
  void SendPushes(Clock clock, const Outgoing& out, Done done);
  void SendPush(Clock clock, const Gradients& from, const Route& route, const Group& group,
                std::shared_ptr<Gather> gather);
  // Rows, in client_rows.cc.
  absl::StatusOr<size_t> TableTensor(size_t table, absl::Span<const uint64_t> keys, const void* rows) const;
  enum class Slots { kAll, kWithRows, kWithRowsOrCopies };
  std::vector<Group> GroupsOfRows(const Route& route, const RowsOf& rows, Slots slots) const;
  // Some chunks, by shard; a message of slots is as large as their rows.
  std::vector<Group> GroupsWithRows(const Route& route, absl::Span<const uint32_t> chunks, const RowsOf& rows,
                                    bool copies) const;
  bool IsLent(const SlotRows& rows) const;
  // How a table's rows are put in order, in memory that shards on this host see if there are any.
  SlotRows::Options RowOptions(size_t table);
  // Caches, in client_cache.cc.
  struct CachedPull;
  absl::Status MakeCaches();
  // Keeps what was missing, until what it shows is too old, and puts it in its place.
  void TakeMissing(Clock clock, const CachedPull& pull, const PullOutcome& outcome);
  // What becomes of the end of a push of rows: their caches hear of it.
  Done TellCaches(Clock clock, absl::Span<const RowPush> pushes, Done done);
  bool FitOneRoundTrip(const Outgoing& out) const;
  void SendPushPull(const StepEnd& step, const Outgoing& out, const Destination& to,
                    PullDone done);
  // What became of a PushPull that a shard refused because of its map: all of it again, in parts.
  void PushPullAgain(const StepEnd& step, const Gradients& from,
                     const std::vector<uint32_t>& pushed, const Pulling& pull, const Group& group);
  void NotePushed(ShardConnection* shard, Clock clock, const grpc::ByteBuffer& reply);

  // sync with replicas: what was pushed of the present step is in no copy before the step is made. If a shard
  // is lost meanwhile, it is pushed again to who has its chunks by then, and so is the commit.
  bool replays() const { return job().sync_mode() == SYNC && job().replicas() > 1; }
  // A shard has acknowledged a push, with whose gradients by tensor. False if it is lost: push again.
  bool Keep(ShardConnection* shard, Clock clock, const Gradients& from, const Group& group);
  // What becomes of a pull's end: not before the pushes of the step before are where they belong.
  PullDone Forgetting(PullDone done);
  void WhenReplayed(std::function<void()> then);
  void GiveUpLost(const RouteTable::Ptr& newest);
  void CommitAgain(const RouteTable::Ptr& newest);
  // With an error nobody can make the step any more: the membership is over.
  void Replayed(const absl::Status& status);
  void Hint(uint64_t epoch) {
    if (routed_) routes_->Hint(epoch);
  }
  // Until the steps below `clock` are made, and are in all copies; for a while.
  void AwaitSafe(Clock clock);

  // With backup workers shard 0 decides who makes a step; the others are told only then.
  bool LeadDecides() const { return job().backup_workers() > 0 && job().sync_mode() == SYNC; }
  CommitRequest MakeCommit(Clock clock, uint64_t samples,
                           const std::vector<Rank>& contributors) const;
  // Says it to every shard of the map of its clock, anew where that has changed.
  void CommitEverywhere(const CommitRequest& commit, CommitDone done);
  void CommitTo(const RouteTable::Ptr& route, CommitRequest commit, CommitDone done);
  void SendCommit(ShardConnection* shard, const CommitRequest& request, CommitDone done);
  // Remembers a commit that is about to be said, and by which map.
  RouteTable::Ptr NoteCommit(const CommitRequest& commit);
  void Installed(const RouteTable::Ptr& newest, const RouteTable::Ptr& before);
  void EndCalls();
  absl::StatusOr<StateKeeper*> KeeperNow();
  absl::StatusOr<ShardConnection*> ConnectShard(const std::string& address);

  const ClientOptions options_;
  const std::unique_ptr<Coordinator::Stub> coordinator_;
  const JoinWorkerReply joined_;
  std::atomic<int> processes_{options_.processes};
  // One more than the last clock of which a shard skipped something.
  std::atomic<Clock> skipped_{0};
  // Rows are pulled from their owners alone until then (Unix nanoseconds of SteadyNow), as a copy was not to be read.
  std::atomic<int64_t> owners_until_{0};
  CallGroup calls_;
  // One for each thread; the channels of a shard are dealt out to them.
  std::vector<std::unique_ptr<grpc::CompletionQueue>> queues_;
  std::vector<std::unique_ptr<CompletionLoop>> loops_;
  mutable absl::Mutex mu_;
  LentBlocks lent_ ABSL_GUARDED_BY(mu_);
  // By address; one that was once there stays.
  std::map<std::string, std::unique_ptr<ShardConnection>> shards_ ABSL_GUARDED_BY(mu_);
  std::vector<std::unique_ptr<ShardConnection>> lost_shards_ ABSL_GUARDED_BY(mu_);
  CommitRequest last_commit_ ABSL_GUARDED_BY(mu_);
  struct Pushed {
    Clock clock = 0;
    Gradients from;
    std::map<uint32_t, ShardConnection*> chunks;  // and who has acknowledged them
  };
  Pushed pushed_ ABSL_GUARDED_BY(mu_);
  int replays_ ABSL_GUARDED_BY(mu_) = 0;  // under way
  std::vector<std::function<void()>> after_replays_ ABSL_GUARDED_BY(mu_);
  std::atomic<bool> routed_{false};
  // Set by StartRoutes, before anything else looks at them.
  std::vector<TensorSpec> tensors_;
  std::unique_ptr<RouteTable> routes_;
  RouteTable::Ptr first_;  // what is the same by all maps is looked up here
  std::vector<size_t> held_tensors_;   // dense ones, as the caller counts them
  std::vector<size_t> table_tensors_;  // by table of the job
  bool codes_rows_ = false;            // of some table: they go through the network
  std::unique_ptr<ChunkVersions> versions_;
  std::unique_ptr<HeldWeights> held_;
  std::unique_ptr<TensorRequests> requests_;
  // Of a job with tables: for rows on their way, and who puts them in order.
  std::unique_ptr<LentPool> row_memory_;
  std::unique_ptr<ThreadPool> row_threads_;
  std::vector<std::unique_ptr<CachedRows>> caches_;  // by table; null for those without
  // If the job's workers carry state: to the shards of `keeper_route_`.
  std::unique_ptr<StateKeeper> state_keeper_;
  RouteTable::Ptr keeper_route_;
  std::unique_ptr<Heartbeat> heartbeat_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_CLIENT_IMPL_H_
