#include "worker/client/client.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/worker_state.h"
#include "common/codec/tensor_codecs.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/completion_loop.h"
#include "common/status/status_macros.h"
#include "common/wire/message.h"
#include "common/wire/protocol_version.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/call_group.h"
#include "worker/client/gather.h"
#include "worker/client/heartbeat.h"
#include "worker/client/held_weights.h"
#include "worker/client/local_link.h"
#include "worker/client/pull_operation.h"
#include "worker/client/route_table.h"
#include "worker/client/router.h"
#include "worker/client/shard_connection.h"
#include "worker/client/state_keeper.h"
#include "worker/client/tensor_requests.h"

namespace syncline {
namespace {

using Method = ShardConnection::Method;

// Long for a coordinator that is busy with shards, short enough to notice one that went.
constexpr absl::Duration kCallTimeout = absl::Seconds(15);

// Of lent memory one message may name this much: enough for a shard to spread over its cores, and not
// too much for the network if the link ends.
constexpr size_t kLentBytes = size_t{32} << 20;

// Where 2 MiB take longer than 5 ms, pulls and pushes go in small messages.
constexpr double kSlowRate = 400e6;

std::string DefaultName() {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, ":", getpid());
}

int IoThreads(const ClientOptions& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = options.io_threads > 0 ? options.io_threads : cores / 4;
  return std::clamp(threads, 1, std::max(options.channels_per_shard, 1));
}

class ClientImpl final : public Client {
 public:
  ClientImpl(ClientOptions options, std::unique_ptr<Coordinator::Stub> coordinator,
             JoinWorkerReply joined)
      : options_(std::move(options)),
        coordinator_(std::move(coordinator)),
        joined_(std::move(joined)),
        heartbeat_(coordinator_.get(), joined_.rank(), joined_.incarnation(),
                   absl::Milliseconds(joined_.lease_ms()) / 4, [this] { EndCalls(); }) {}
  ~ClientImpl() override;

  Rank rank() const override { return joined_.rank(); }
  Incarnation incarnation() const override { return joined_.incarnation(); }
  const JobManifest& job() const override { return joined_.job(); }

  absl::Status CreateTensors(absl::Span<const TensorSpec> tensors) override;
  void Lend(std::shared_ptr<const SharedMemory> memory) override {
    lent_.push_back(std::move(memory));
  }
  int shards_on_this_host() const override;
  void Pull(Clock clock, const Destination& to, PullDone done) override {
    PullAll(clock, false, to, std::move(done));
  }
  void Observe(const Destination& to, Done done) override {
    PullAll(0, true, to, [done = std::move(done)](auto outcome) { done(outcome.status()); });
  }
  void Push(Clock clock, absl::Span<const Gradient> gradients, Done done) override;
  void Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
              CommitDone done) override;
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
  void Report(const WorkerProgress& progress) override { heartbeat_.Report(progress); }
  bool expelled() const override { return heartbeat_.expelled(); }
  bool stopping() const override { return heartbeat_.stopping(); }
  bool stand_in_wanted() const override { return heartbeat_.stand_in_wanted(); }
  absl::Status Leave(Clock clock, const WorkerProgress& progress) override;

 private:
  using Group = Router::Group;
  Sender MakeSender() const;
  absl::Time Deadline() const { return absl::Now() + options_.deadline; }
  std::string CoordinatorName() const {
    return absl::StrCat("the coordinator at ", options_.coordinator);
  }
  // Gradients that were checked.
  struct Outgoing {
    RouteTable::Ptr route;
    std::vector<const float*> tensors;  // by tensor
    Router::Messages messages = Router::kLarge;  // of the groups, and of the pull that goes along
    std::vector<Group> groups;
  };
  // A pull under way, and what it takes to send a part of it again.
  struct Pulling {
    Clock clock = 0;
    bool observer = false;
    bool untouched = false;
    std::vector<float*> tensors;
    std::shared_ptr<PullOperation> operation;
  };
  Router::Messages MessagesNow() const;
  absl::Status CheckFits(const Destination& to) const;
  absl::StatusOr<Outgoing> Check(Clock clock, absl::Span<const Gradient> gradients) const;
  Pulling BeginPull(Clock clock, bool observer, size_t groups, const Destination& to,
                    PullDone done);
  void SendPull(const Pulling& pull, const Route& route, const Group& group);
  void Pulled(const Pulling& pull, const Group& group, absl::StatusOr<grpc::ByteBuffer> reply);
  void PullAgain(const Pulling& pull, const Group& group);
  void PullAll(Clock clock, bool observer, const Destination& to, PullDone done);
  void SendPushes(Clock clock, const Outgoing& out, Done done);
  void SendPush(Clock clock, const std::vector<const float*>& tensors, const Route& route,
                const Group& group, std::shared_ptr<Gather> gather);
  bool FitOneRoundTrip(const Outgoing& out) const;
  void SendPushPull(const StepEnd& step, const Outgoing& out, const Destination& to,
                    PullDone done);
  // What became of a PushPull that a shard refused because of its map: all of it again, in parts.
  void PushPullAgain(const StepEnd& step, const std::vector<const float*>& tensors,
                     const std::vector<uint32_t>& pushed, const Pulling& pull, const Group& group);
  void NotePushed(ShardConnection* shard, Clock clock, const grpc::ByteBuffer& reply);
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
  CallGroup calls_;
  LentBlocks lent_;
  // One for each thread; the channels of a shard are dealt out to them.
  std::vector<std::unique_ptr<grpc::CompletionQueue>> queues_;
  std::vector<std::unique_ptr<CompletionLoop>> loops_;
  mutable absl::Mutex mu_;
  // By address; one that was once there stays.
  std::map<std::string, std::unique_ptr<ShardConnection>> shards_ ABSL_GUARDED_BY(mu_);
  CommitRequest last_commit_ ABSL_GUARDED_BY(mu_);
  // Set by CreateTensors, before anything else looks at them.
  std::unique_ptr<RouteTable> routes_;
  RouteTable::Ptr first_;  // what is the same by all maps is looked up here
  std::unique_ptr<ChunkVersions> versions_;
  std::unique_ptr<HeldWeights> held_;
  std::unique_ptr<TensorRequests> requests_;
  // If the job's workers carry state: to the shards of `keeper_route_`.
  std::unique_ptr<StateKeeper> state_keeper_;
  RouteTable::Ptr keeper_route_;
  Heartbeat heartbeat_;
};

ClientImpl::~ClientImpl() {
  EndCalls();
  if (routes_ != nullptr) routes_->Stop();
}

// Nothing of it would be accepted any more; and a shard that has gone would be waited for.
void ClientImpl::EndCalls() {
  {
    absl::MutexLock lock(&mu_);
    for (const auto& [address, shard] : shards_) shard->CloseLink();
  }
  calls_.Close();
}

Sender ClientImpl::MakeSender() const {
  Sender sender;
  sender.set_rank(rank());
  sender.set_incarnation(incarnation());
  sender.set_protocol(kProtocolVersion);
  return sender;
}

absl::Status ClientImpl::CreateTensors(absl::Span<const TensorSpec> tensors) {
  SYNCLINE_RETURN_IF_ERROR(ValidateTensors(tensors));
  SYNCLINE_ASSIGN_OR_RETURN(const auto codecs, CodecsOf(job(), tensors));
  CreateTensorsRequest request;
  for (const TensorSpec& tensor : tensors) *request.add_tensors() = tensor;
  // The coordinator answers UNAVAILABLE while it waits for shards, for as long as they take.
  const auto reply = CallUntil<CreateTensorsReply>(
      absl::InfiniteFuture(), CoordinatorName(), *coordinator_,
      &Coordinator::Stub::CreateTensors, request, 2 * kCallTimeout);
  SYNCLINE_RETURN_IF_ERROR(reply.status());
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(reply->map()));
  for (int i = 0; i < IoThreads(options_); ++i) {
    queues_.push_back(std::make_unique<grpc::CompletionQueue>());
    loops_.push_back(std::make_unique<CompletionLoop>(queues_.back().get()));
  }
  RouteTable::Options routes;
  routes.by_step = job().sync_mode() == SYNC;
  routes.security = options_.security;
  routes.patience = options_.deadline;
  routes.connect = [this](const std::string& address) { return ConnectShard(address); };
  routes.message_bytes = [this](const ShardConnection& shard) {
    return shard.has_link() ? kLentBytes : options_.message_bytes;
  };
  routes.installed = [this](const auto& newest, const auto& before) { Installed(newest, before); };
  routes_ = std::make_unique<RouteTable>(std::move(routes));
  SYNCLINE_RETURN_IF_ERROR(routes_->Start(reply->map()));
  first_ = routes_->For(0);
  const std::vector<ChunkInfo>& chunks = first_->router.chunks();
  versions_ = std::make_unique<ChunkVersions>(chunks.size());
  held_ = std::make_unique<HeldWeights>(chunks.size());
  requests_ = std::make_unique<TensorRequests>(MakeSender(), chunks, codecs, job().seed(),
                                               versions_.get(), held_.get());
  return absl::OkStatus();
}

absl::StatusOr<StateKeeper*> ClientImpl::KeeperNow() {
  const RouteTable::Ptr route = routes_->newest();
  if (state_keeper_ != nullptr && keeper_route_ == route) return state_keeper_.get();
  StateKeeper::Options options;
  options.sender = MakeSender();
  options.addresses = route->addresses;
  for (const std::string& address : options.addresses) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
    options.shards.push_back(ParameterServer::NewStub(channel));
  }
  options.router = &route->router;
  options.encoder = requests_->encoder();
  options.calls = &calls_;
  options.patience = options_.deadline;
  state_keeper_ = std::make_unique<StateKeeper>(std::move(options));
  keeper_route_ = route;
  return state_keeper_.get();
}

absl::StatusOr<ShardConnection*> ClientImpl::ConnectShard(const std::string& address) {
  {
    absl::MutexLock lock(&mu_);
    const auto known = shards_.find(address);
    if (known != shards_.end()) return known->second.get();
  }
  ShardConnection::Options options;
  options.address = address;
  options.security = options_.security;
  options.channels = options_.channels_per_shard;
  options.patience = options_.deadline;
  ShardConnection::Queues queues;
  for (const auto& queue : queues_) queues.push_back(queue.get());
  SYNCLINE_ASSIGN_OR_RETURN(auto connection, ShardConnection::Create(options, &calls_, queues));
  if (job().shared_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
    // Without a link tensors go through the network, so why there is none does not matter.
    auto link = LocalLink::Attach(*ParameterServer::NewStub(channel), MakeSender(), lent_, {});
    if (link.ok()) connection->SetLink(*std::move(link));
  }
  absl::MutexLock lock(&mu_);
  return (shards_[address] = std::move(connection)).get();
}

// Where nothing waits for a step, a new shard must hear how far this worker is.
void ClientImpl::Installed(const RouteTable::Ptr& newest, const RouteTable::Ptr& before) {
  if (job().sync_mode() == SYNC) return;
  CommitRequest commit;
  {
    absl::MutexLock lock(&mu_);
    commit = last_commit_;
  }
  if (!commit.has_sender()) return;
  commit.mutable_sender()->set_map_epoch(newest->epoch());
  for (size_t i = 0; i < newest->shards.size(); ++i) {
    const auto& old = before->shards;
    if (std::find(old.begin(), old.end(), newest->shards[i]) != old.end()) continue;
    SendCommit(newest->shards[i], commit, [](const auto&) {});
  }
}

int ClientImpl::shards_on_this_host() const {
  const auto& shards = routes_->newest()->shards;
  return static_cast<int>(std::count_if(shards.begin(), shards.end(),
                                        [](const auto* shard) { return shard->has_link(); }));
}

absl::Status ClientImpl::CheckFits(const Destination& to) const {
  if (first_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  const size_t tensors = first_->router.tensors();
  if (to.tensors.size() == tensors) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("memory for ", to.tensors.size(),
                                                 " tensors, the model has ", tensors));
}

absl::StatusOr<ClientImpl::Outgoing> ClientImpl::Check(
    Clock clock, absl::Span<const Gradient> gradients) const {
  if (first_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  Outgoing out;
  out.route = routes_->For(clock);
  out.tensors.resize(out.route->router.tensors());
  std::vector<size_t> order;
  for (const Gradient& gradient : gradients) {
    if (gradient.tensor >= out.tensors.size() || out.tensors[gradient.tensor] != nullptr) {
      return absl::InvalidArgumentError(
          absl::StrCat("there is no tensor ", gradient.tensor, ", or it was given twice: the model "
                       "has tensors 0 to ", out.tensors.size() - 1));
    }
    out.tensors[gradient.tensor] = gradient.data;
    order.push_back(gradient.tensor);
  }
  out.messages = MessagesNow();
  out.groups = out.route->router.GroupsOf(order, out.messages);
  return out;
}

// As the slowest path to a shard asks for.
Router::Messages ClientImpl::MessagesNow() const {
  const auto& shards = routes_->newest()->shards;
  const bool slow = std::any_of(shards.begin(), shards.end(), [](auto* shard) {
    const double rate = shard->has_link() ? 0 : shard->rate();
    return rate > 0 && rate < kSlowRate;
  });
  return slow ? Router::kSmall : Router::kLarge;
}

ClientImpl::Pulling ClientImpl::BeginPull(Clock clock, bool observer, size_t groups,
                                          const Destination& to, PullDone done) {
  Pulling pull{clock, observer, to.untouched, {to.tensors.begin(), to.tensors.end()}, nullptr};
  pull.operation = std::make_shared<PullOperation>(&first_->router, groups, to, std::move(done),
                                                   observer ? nullptr : versions_.get(),
                                                   held_.get());
  return pull;
}

void ClientImpl::SendPull(const Pulling& pull, const Route& route, const Group& group) {
  route.shards[group.shard]->Send(
      Method::kPull, group.bytes,
      requests_->Pull({pull.clock, pull.observer, pull.tensors, pull.untouched}, group),
      [this, pull, group](auto reply) { Pulled(pull, group, std::move(reply)); });
}

void ClientImpl::Pulled(const Pulling& pull, const Group& group,
                        absl::StatusOr<grpc::ByteBuffer> reply) {
  if (absl::IsAborted(reply.status())) return PullAgain(pull, group);
  // Kept by whoever called: the last group may end it.
  const std::shared_ptr<PullOperation> operation = pull.operation;
  operation->Receive(group, std::move(reply));
  routes_->Hint(operation->map_epoch());
}

void ClientImpl::PullAgain(const Pulling& pull, const Group& group) {
  routes_->Await(group.map_epoch, pull.clock, [this, pull, group](const absl::Status& known) {
    if (!known.ok()) return pull.operation->Receive(group, known);
    const RouteTable::Ptr route = routes_->For(pull.clock);
    std::vector<Group> groups = route->router.GroupsOfChunks(group.chunks, MessagesNow());
    // Without chunks it was only to wait, for a shard that may be none any more.
    if (groups.empty()) groups.push_back({route->epoch(), 0, {}, 0});
    pull.operation->SplitInto(groups.size());
    for (const Group& part : groups) SendPull(pull, *route, part);
  });
}

void ClientImpl::PullAll(Clock clock, bool observer, const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const RouteTable::Ptr route = observer ? routes_->newest() : routes_->ForPull(clock);
  const auto& groups = route->router.pulls(MessagesNow());
  const Pulling pull = BeginPull(clock, observer, groups.size(), to, std::move(done));
  for (const Group& group : groups) SendPull(pull, *route, group);
}

void ClientImpl::Push(Clock clock, absl::Span<const Gradient> gradients, Done done) {
  const absl::StatusOr<Outgoing> out = Check(clock, gradients);
  if (!out.ok()) return done(out.status());
  SendPushes(clock, *out, std::move(done));
}

void ClientImpl::SendPushes(Clock clock, const Outgoing& out, Done done) {
  if (out.groups.empty()) return done(absl::OkStatus());
  const auto gather = std::make_shared<Gather>(out.groups.size(), std::move(done));
  for (const Group& group : out.groups) SendPush(clock, out.tensors, *out.route, group, gather);
}

void ClientImpl::SendPush(Clock clock, const std::vector<const float*>& tensors,
                          const Route& route, const Group& group,
                          std::shared_ptr<Gather> gather) {
  ShardConnection* const shard = route.shards[group.shard];
  const auto done = [this, clock, tensors, group, gather,
                     shard](absl::StatusOr<grpc::ByteBuffer> buffer) {
    if (buffer.ok()) NotePushed(shard, clock, *buffer);
    if (!absl::IsAborted(buffer.status())) return gather->PartDone(buffer.status());
    routes_->Await(group.map_epoch, clock, [=](const absl::Status& known) {
      if (!known.ok()) return gather->PartDone(known);
      Outgoing again;
      again.route = routes_->For(clock);
      again.tensors = tensors;
      again.groups = again.route->router.GroupsOfChunks(group.chunks, MessagesNow());
      SendPushes(clock, again, [gather](const absl::Status& pushed) { gather->PartDone(pushed); });
    });
  };
  shard->Send(Method::kPush, group.bytes, requests_->Push({clock, tensors}, group), done);
}

// What a shard says of a push. If it left out a gradient that is not finite (on_nonfinite: skip),
// in sync all of the contribution must stay out, on all shards: Commit says 0 samples.
void ClientImpl::NotePushed(ShardConnection* shard, Clock clock, const grpc::ByteBuffer& buffer) {
  const auto reply = DecodeMessage<PushReply>(buffer);
  if (!reply.ok()) return;
  if (reply->skipped_size() > 0) skipped_ = clock + 1;
  shard->Grant(reply->window());
}

void ClientImpl::SendCommit(ShardConnection* shard, const CommitRequest& request,
                            CommitDone done) {
  const grpc::ByteBuffer bytes = EncodeMessage(request);
  shard->Send(
      Method::kCommit, 0, [bytes](const auto&, const LocalLink*) { return bytes; },
      [done = std::move(done)](absl::StatusOr<grpc::ByteBuffer> buffer) {
        if (!buffer.ok()) return done(buffer.status());
        const auto reply = DecodeMessage<CommitReply>(*buffer);
        if (!reply.ok()) return done(reply.status());
        done(reply->accepted());
      });
}

CommitRequest ClientImpl::MakeCommit(Clock clock, uint64_t samples,
                                     const std::vector<Rank>& contributors) const {
  CommitRequest request;
  *request.mutable_sender() = MakeSender();
  request.set_clock(clock);
  const bool skipped = job().sync_mode() == SYNC && skipped_ == clock + 1;
  request.set_samples(skipped ? 0 : samples);
  request.mutable_contributors()->Assign(contributors.begin(), contributors.end());
  return request;
}

// Together, so that a map that comes in between is told of this commit or gets it anyway.
RouteTable::Ptr ClientImpl::NoteCommit(const CommitRequest& commit) {
  absl::MutexLock lock(&mu_);
  last_commit_ = commit;
  return routes_->For(commit.clock());
}

void ClientImpl::Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
                        CommitDone done) {
  if (first_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  CommitEverywhere(MakeCommit(clock, samples, contributors), std::move(done));
}

void ClientImpl::CommitEverywhere(const CommitRequest& commit, CommitDone done) {
  const RouteTable::Ptr route = NoteCommit(commit);
  CommitTo(route, commit, [this, route, commit, done](absl::StatusOr<bool> accepted) {
    if (!absl::IsAborted(accepted.status())) return done(std::move(accepted));
    routes_->Await(route->epoch(), commit.clock(), [=](const absl::Status& known) {
      if (!known.ok()) return done(known);
      CommitEverywhere(commit, done);
    });
  });
}

void ClientImpl::CommitTo(const RouteTable::Ptr& route, CommitRequest commit, CommitDone done) {
  commit.mutable_sender()->set_map_epoch(route->epoch());
  const size_t first = LeadDecides() ? 1 : 0;
  const auto to_rest = [this, route, commit, first](CommitDone told) {
    if (first >= route->shards.size()) return told(true);
    const auto gather = std::make_shared<Gather>(
        route->shards.size() - first, [told = std::move(told)](absl::Status status) {
          if (!status.ok()) return told(status);
          told(true);
        });
    for (size_t shard = first; shard < route->shards.size(); ++shard) {
      SendCommit(route->shards[shard], commit,
                 [gather](auto accepted) { gather->PartDone(accepted.status()); });
    }
  };
  if (first == 0) return to_rest(std::move(done));
  SendCommit(route->shards[0], commit, [to_rest, done = std::move(done)](absl::StatusOr<bool> accepted) {
    if (!accepted.ok() || !*accepted) return done(std::move(accepted));
    to_rest(done);
  });
}

bool ClientImpl::FitOneRoundTrip(const Outgoing& out) const {
  const size_t shards = out.route->shards.size();
  if (job().sync_mode() == SYNC && shards > 1) return false;
  std::vector<int> pushed(shards), pulled(shards);
  const auto once = [](const std::vector<int>& counts) {
    return std::all_of(counts.begin(), counts.end(), [](int count) { return count <= 1; });
  };
  for (const Group& group : out.groups) ++pushed[group.shard];
  for (const Group& group : out.route->router.pulls(out.messages)) ++pulled[group.shard];
  return once(pushed) && once(pulled);
}

void ClientImpl::PushPull(const StepEnd& step, absl::Span<const Gradient> gradients,
                          const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const absl::StatusOr<Outgoing> out = Check(step.clock, gradients);
  if (!out.ok()) return done(out.status());
  if (!LeadDecides() && FitOneRoundTrip(*out)) {
    return SendPushPull(step, *out, to, std::move(done));
  }
  SendPushes(step.clock, *out,
             [this, step, messages = out->messages,
              tensors = std::vector<float*>(to.tensors.begin(), to.tensors.end()),
              to = Destination(to), done = std::move(done)](const absl::Status& pushed) mutable {
               if (!pushed.ok()) return done(pushed);
               to.tensors = tensors;
               if (!LeadDecides()) {
                 const Outgoing rest{routes_->For(step.clock), {}, messages, {}};
                 return SendPushPull(step, rest, to, std::move(done));
               }
               Commit(step.clock, step.samples, step.contributors,
                      [this, next = step.next, tensors, to = to,
                       done](const auto& accepted) mutable {
                        if (!accepted.ok()) return done(accepted.status());
                        to.tensors = tensors;
                        Pull(next, to, std::move(done));
                      });
             });
}

void ClientImpl::SendPushPull(const StepEnd& step, const Outgoing& out, const Destination& to,
                              PullDone done) {
  CommitRequest commit = MakeCommit(step.clock, step.samples, step.contributors);
  NoteCommit(commit);
  commit.mutable_sender()->set_map_epoch(out.route->epoch());
  const auto& groups = out.route->router.pulls(out.messages);
  const Pulling pull = BeginPull(step.next, false, groups.size(), to, std::move(done));
  std::vector<bool> committed(out.route->shards.size());
  for (const Group& group : groups) {
    const bool first = !committed[group.shard];
    committed[group.shard] = true;
    if (!first) {
      SendPull(pull, *out.route, group);
      continue;
    }
    const auto pushed =
        std::find_if(out.groups.begin(), out.groups.end(),
                     [&](const Group& g) { return g.shard == group.shard; });
    const Group* const push = pushed == out.groups.end() ? nullptr : &*pushed;
    out.route->shards[group.shard]->Send(
        Method::kPushPull, 0,
        requests_->PushPull({step.clock, out.tensors}, push, commit,
                            {pull.clock, false, pull.tensors, pull.untouched}, group),
        [this, step, tensors = out.tensors,
         chunks = push == nullptr ? std::vector<uint32_t>() : push->chunks, pull,
         group](auto reply) {
          if (!absl::IsAborted(reply.status())) return Pulled(pull, group, std::move(reply));
          PushPullAgain(step, tensors, chunks, pull, group);
        });
  }
}

void ClientImpl::PushPullAgain(const StepEnd& step, const std::vector<const float*>& tensors,
                               const std::vector<uint32_t>& pushed, const Pulling& pull,
                               const Group& group) {
  const auto commit_and_pull = [this, step, pull, group](const absl::Status& status) {
    if (!status.ok()) return pull.operation->Receive(group, status);
    CommitEverywhere(MakeCommit(step.clock, step.samples, step.contributors),
                     [this, pull, group](const absl::StatusOr<bool>& accepted) {
                       if (!accepted.ok()) {
                         return pull.operation->Receive(group, accepted.status());
                       }
                       PullAgain(pull, group);
                     });
  };
  if (pushed.empty()) return commit_and_pull(absl::OkStatus());
  // Refused again where the map is still the old one, and then awaited.
  const RouteTable::Ptr route = routes_->For(step.clock);
  SendPushes(step.clock, {route, tensors, Router::kLarge, route->router.GroupsOfChunks(pushed)},
             commit_and_pull);
}

absl::StatusOr<LeaseReply> ClientImpl::Lease(uint64_t samples, Clock from_clock, Clock committed) {
  LeaseRequest request;
  request.set_rank(rank());
  request.set_incarnation(incarnation());
  request.set_samples(samples);
  request.set_from_clock(from_clock);
  request.set_committed(committed);
  request.set_processes(static_cast<uint32_t>(processes_.load()));
  return CallUntil<LeaseReply>(Deadline(), CoordinatorName(), *coordinator_,
                               &Coordinator::Stub::Lease, request, kCallTimeout);
}

absl::Status ClientImpl::Leave(Clock clock, const WorkerProgress& progress) {
  LeaveWorkerRequest request;
  request.set_rank(rank());
  request.set_incarnation(incarnation());
  request.set_clock(clock);
  *request.mutable_progress() = progress;
  return CallUntil<LeaveWorkerReply>(Deadline(), CoordinatorName(), *coordinator_,
                                     &Coordinator::Stub::LeaveWorker, request, kCallTimeout)
      .status();
}

absl::StatusOr<JoinWorkerReply> CallJoin(const ClientOptions& options,
                                         Coordinator::Stub* coordinator,
                                         JoinWorkerRequest request) {
  request.set_protocol(kProtocolVersion);
  return CallUntil<JoinWorkerReply>(
      absl::Now() + options.deadline,
      absl::StrCat("joining the coordinator at ", options.coordinator), *coordinator,
      &Coordinator::Stub::JoinWorker, request, kCallTimeout);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Client>> Client::Connect(const ClientOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.coordinator, options.security));
  auto coordinator = Coordinator::NewStub(channel);
  JoinWorkerRequest request;
  request.set_name(options.name.empty() ? DefaultName() : options.name);
  request.set_processes(static_cast<uint32_t>(options.processes));
  request.set_stand_in(options.stand_in);
  request.set_replaces_rank(options.replaces_rank);
  request.set_replaces_incarnation(options.replaces_incarnation);
  SYNCLINE_ASSIGN_OR_RETURN(auto joined, CallJoin(options, coordinator.get(), request));
  return std::make_unique<ClientImpl>(options, std::move(coordinator), std::move(joined));
}

absl::StatusOr<JobManifest> Client::AskJob(const ClientOptions& options) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.coordinator, options.security));
  auto coordinator = Coordinator::NewStub(channel);
  JoinWorkerRequest request;
  request.set_ask_only(true);
  SYNCLINE_ASSIGN_OR_RETURN(const auto reply, CallJoin(options, coordinator.get(), request));
  return reply.job();
}

}  // namespace syncline
