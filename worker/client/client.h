#ifndef SYNCLINE_WORKER_CLIENT_CLIENT_H_
#define SYNCLINE_WORKER_CLIENT_CLIENT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/cluster/ids.h"
#include "common/memory/shared_memory.h"
#include "common/rpc/security.h"
#include "proto/coordinator.pb.h"
#include "proto/job.pb.h"
#include "proto/parameter_server.pb.h"

namespace syncline {

struct ClientOptions {
  std::string coordinator;  // host:port
  SecurityOptions security;
  // No other worker's of the job: one that joins by the name of another waits until that one has left or its
  // lease is over. Shown in `syncline status`. Empty: host name and process number.
  std::string name;
  // How long a call is retried while its peer is away. A pull that waits for other workers is not
  // away: it waits as long as they take.
  absl::Duration deadline = absl::Seconds(60);
  // Whether to end: asked while Connect, AskJob and CreateTensors wait, which then say CANCELLED. May be null.
  std::function<bool()> stop;
  // The member stands for this many processes of its host (local_aggregation).
  int processes = 1;
  // The worker that this one knows to be dead and takes the place of; incarnation 0: none.
  Rank replaces_rank = 0;
  Incarnation replaces_incarnation = 0;
  // Only to make the steps that a lost worker owes (sync).
  bool stand_in = false;
  // The team that the member leads, and this process's life there. Connect says ABORTED if another one leads.
  std::optional<uint32_t> team;
  uint64_t team_life = 0;
  // Which tensors this process has to do with, by name; null: all. From CreateTensors on, which names them all,
  // tensors are counted among those.
  std::function<bool(const std::string& tensor)> holds;
  // Connections to each shard.
  int channels_per_shard = 2;
  // Threads that read and write them; at most one a connection. 0: a quarter of the cores, at least
  // one. More move more bytes and take more from whoever computes.
  int io_threads = 0;
  // Chunks are sent together up to this size through the network.
  size_t message_bytes = size_t{2} << 20;
};

// A worker's side of a Syncline cluster, for any program that computes gradients:
//
//   SYNCLINE_ASSIGN_OR_RETURN(auto client, Client::Connect(options));
//   SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(tensors));
//   SYNCLINE_ASSIGN_OR_RETURN(LeaseReply lease, client->Lease(samples, 0, 0));
//   client->Pull(clock, {to}, done);                     // weights of all tensors
//   client->Push(clock, {{tensor, gradient}}, done);     // mean gradients, of one or more tensors
//   client->Commit(clock, count, contributors, done);    // once every push of the step is done
//
// docs/client.md has the whole of it. Thread-safe. Callbacks run on the client's own threads, once
// each, without a lock held; they may call the client but must not block. A heartbeat runs in the
// background from Connect on.
//
// Errors: INVALID_ARGUMENT for what can never be right, FAILED_PRECONDITION when this incarnation
// was given up by the cluster (connect again), UNAVAILABLE or DEADLINE_EXCEEDED when a peer stayed
// away past the deadline.
class Client {
 public:
  using Done = std::function<void(absl::Status)>;
  struct PullOutcome {
    // As in PullReply, of all shards together: STOPPED or STEP_CLOSED if any says so.
    PullReply::Verdict verdict = PullReply::GRANTED;
    Clock clock = 0;
    // A checkpoint wants what this worker carries: HandInState before the next Push.
    bool state_wanted = false;
    // The lowest that any shard answered with: in bounded all live workers' updates below it are in what came.
    std::optional<Clock> lowest_clock{};
  };
  using PullDone = std::function<void(absl::StatusOr<PullOutcome>)>;
  // A tensor is complete at its destination.
  using TensorReady = std::function<void(size_t tensor)>;
  // False: a backup worker came too late, the contribution is dropped everywhere.
  using CommitDone = std::function<void(absl::StatusOr<bool>)>;

  // Joins the cluster; waits for the coordinator until the deadline.
  static absl::StatusOr<std::unique_ptr<Client>> Connect(const ClientOptions& options);
  // Pushes and pulls for a member that another process has joined as, which also leases, commits and leaves: what
  // is said to the coordinator is that process's part.
  static absl::StatusOr<std::unique_ptr<Client>> ConnectAs(const ClientOptions& options, Rank rank,
                                                           Incarnation incarnation,
                                                           const JobManifest& job);
  // Reads what servers of checkpoints serve (syncline-ps --read_only), in no cluster: `servers` are their addresses,
  // those of all parts; of several with the same part one is taken. Tensors and tables are the checkpoint's; pulls are
  // made as by an observer, and their outcome's clock is the checkpoint's step, the highest where servers are at
  // several. Nothing else is accepted. Waits until every part answers, at most the deadline. docs/serving.md.
  static absl::StatusOr<std::unique_ptr<Client>> ConnectToServers(const ClientOptions& options,
                                                                  absl::Span<const std::string> servers);
  // A name for a worker that was not given one: its host and process.
  static std::string DefaultName();
  // What the job is, without joining. Waits likewise.
  static absl::StatusOr<JobManifest> AskJob(const ClientOptions& options);
  // Calls under way end with CANCELLED first. Does not leave the cluster in good order: see Leave.
  virtual ~Client() = default;

  virtual Rank rank() const = 0;
  virtual Incarnation incarnation() const = 0;
  // Of ConnectToServers: its tables alone.
  virtual const JobManifest& job() const = 0;
  // Those declared, dense ones as pulls count them, and then the job's tables.
  virtual std::vector<TensorSpec> tensors() const { return {}; }

  // Declares the model's tensors, and after them the job's tables, the same in every worker. Blocks until all shards
  // hold them; may wait for shards as long as they take to come.
  virtual absl::Status CreateTensors(absl::Span<const TensorSpec> tensors) = 0;

  // Lends `memory` to the shards that run on this host, from CreateTensors on; what is lent after that counts
  // a moment later. They read gradients that lie in it and write weights and rows to it, in place of sending
  // both through the network. It is kept until the client has gone. Memory that is not lent works as well.
  // In sync, shards read a lent gradient when the step is made: it must stay as it is until a pull for
  // the next clock has been answered.
  virtual void Lend(std::shared_ptr<const SharedMemory> memory) = 0;
  // Shards that have taken what was lent, and all of them.
  virtual int shards_on_this_host() const = 0;
  virtual int shards() const { return 0; }

  // Where weights go.
  struct Destination {
    // tensors[t] is room for tensor t's elements; the caller leaves it alone until `done`.
    absl::Span<float* const> tensors;
    // Called as each tensor is complete, in any order, before `done`. May be null.
    TensorReady ready = nullptr;
    // Nobody but the client has written there since it put weights there the last time: what has
    // not changed since then is not sent again.
    bool untouched = false;
  };
  // Weights for step `clock`.
  virtual void Pull(Clock clock, const Destination& to, PullDone done) = 0;
  // The latest weights, without taking part: never waits for the sync policy.
  virtual void Observe(const Destination& to, Done done) = 0;

  // The gradient of a tensor: as many floats as it has elements.
  struct Gradient {
    size_t tensor = 0;
    const float* data = nullptr;
  };
  // Starts sending gradients under `clock`. They must stay as they are until `done`, which comes when all their shards
  // have acknowledged them; in sync with replicas until a pull for a later step is done, as they are pushed again if a
  // shard is lost meanwhile (and see Lend). A message holds what fits of one call, so small tensors are better pushed
  // together. Each tensor at most once a clock.
  virtual void Push(Clock clock, absl::Span<const Gradient> gradients, Done done) = 0;
  // Ends the step. All its pushes must be done. `samples`: how many the gradient is the mean of.
  virtual void Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
                      CommitDone done) = 0;

  // Rows of a table, by its place in the job's `tables`, under `keys`, none twice.
  struct RowPull {
    size_t table = 0;
    absl::Span<const uint64_t> keys;
    // Room for [keys, dim] floats, which the caller leaves alone until `done`. The keys are copied.
    float* to = nullptr;
  };
  struct RowPush {
    size_t table = 0;
    absl::Span<const uint64_t> keys;
    // [keys, dim]: the gradient of the mean over the step's samples, those of one key summed. Copied, as the keys are.
    const float* gradients = nullptr;
  };
  // Rows for step `clock`, as Pull gives tensors. One that nobody has pushed comes as it would begin, and is not made. Of
  // tables with a cache, rows that are kept and good for `clock` are not asked for.
  virtual void PullRows(Clock, absl::Span<const RowPull>, PullDone done) {
    done(absl::UnimplementedError("no tables here"));
  }
  // As Observe.
  virtual void ObserveRows(absl::Span<const RowPull>, Done done) { done(absl::UnimplementedError("no tables here")); }
  // As Push, once a clock for all tables; in sync also where a worker has no rows to push.
  virtual void PushRows(Clock, absl::Span<const RowPush>, Done done) {
    done(absl::UnimplementedError("no tables here"));
  }

  // Rows that PullRows was asked for of tables with a cache, and those that were in it.
  struct RowCacheCounts {
    uint64_t wanted = 0;
    uint64_t found = 0;
  };
  virtual RowCacheCounts row_cache() const { return {}; }

  // The pieces that tensors travel in, by number: floats [begin, begin + elements) of a tensor.
  struct Chunk {
    size_t tensor = 0;
    size_t begin = 0;
    size_t elements = 0;
  };
  virtual std::vector<Chunk> chunks() const { return {}; }
  // As Pull, Observe and Push, of some chunks: tensors[t] is where all of tensor t lies, or goes, or would; only the
  // chunks' memory is looked at.
  virtual void PullChunks(Clock, absl::Span<const uint32_t> /*chunks*/, const Destination&, PullDone done) {
    done(absl::UnimplementedError("no single chunks here"));
  }
  virtual void ObserveChunks(absl::Span<const uint32_t> /*chunks*/, const Destination&, Done done) {
    done(absl::UnimplementedError("no single chunks here"));
  }
  virtual void PushChunks(Clock, absl::Span<const uint32_t> /*chunks*/,
                          absl::Span<const float* const> /*tensors*/, Done done) {
    done(absl::UnimplementedError("no single chunks here"));
  }

  // A step's end and the next one's beginning.
  struct StepEnd {
    Clock clock = 0;
    uint64_t samples = 0;
    std::vector<Rank> contributors;
    // The clock to pull for.
    Clock next = 0;
  };
  // Push of what is left to push of the step (maybe nothing), Commit, and Pull. Pushes before must be
  // done. All of it takes one round trip where the policy allows that (bounded, async, or a single
  // shard) and both the gradients and the weights fit into a message to each shard; otherwise one for
  // the push and one for the rest. STOPPED and the like as in Pull.
  virtual void PushPull(const StepEnd& step, absl::Span<const Gradient> gradients,
                        const Destination& to, PullDone done) = 0;

  // More steps; see LeaseRequest. Blocks for a round trip.
  virtual absl::StatusOr<LeaseReply> Lease(uint64_t samples, Clock from_clock, Clock committed) = 0;

  // From the next Lease on, this member stands for `count` processes of its host.
  virtual void SetProcesses(int) {}

  // What the caller carries from step to step beside the weights: its own optimizer's state.
  struct OwnState {
    uint64_t updates = 0;
    // slots[s][t] has as many floats as tensor t. At most kMaxStateSlots.
    std::vector<std::vector<float*>> slots;
  };
  // Whether the workers of this job carry something: what codecs hold back, which the client sees to,
  // or a state of their own. If not, the two calls after this do nothing.
  virtual bool carries_state() const { return false; }
  // After CreateTensors and before the first step: goes on from what this rank's last worker carried as it
  // left, or the checkpoint that the job began from holds; fills in `own`. False: there is none, and
  // nothing was changed. Blocks.
  virtual absl::StatusOr<bool> TakeOverState(OwnState*) { return false; }
  // Gives the shards what this worker carries when it has committed the clocks below `clock`: for a
  // checkpoint, when a pull's outcome says state_wanted, or for its rank's next worker, before it
  // leaves. Copies it and sends it while the worker goes on, and returns how the last one fared; when
  // `leaving`, blocks until it is there. No push may be under way.
  virtual absl::Status HandInState(Clock, const OwnState&, bool /*leaving*/) {
    return absl::OkStatus();
  }

  // What the next heartbeat reports.
  virtual void Report(const WorkerProgress& progress) = 0;
  // The cluster gave this incarnation up.
  virtual bool expelled() const = 0;
  // bounded, async: the job is being drained, so leave after the step under way. In sync the shards
  // say where, by STOPPED.
  virtual bool stopping() const = 0;

  // A lost worker owes steps, and this one should make them: by a second client with `stand_in` set.
  virtual bool stand_in_wanted() const { return false; }

  // Leaves with nothing under way; clocks below `clock` are committed. Blocks.
  virtual absl::Status Leave(Clock clock, const WorkerProgress& progress) = 0;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_CLIENT_H_
