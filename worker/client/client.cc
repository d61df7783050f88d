#include "worker/client/client.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
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
                   absl::Milliseconds(joined_.lease_ms()) / 4) {}
  ~ClientImpl() override {
    for (const auto& shard : shards_) shard->CloseLink();
    calls_.Close();
  }

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
    return state_keeper_ == nullptr ? false : state_keeper_->TakeOver(own);
  }
  absl::Status HandInState(Clock clock, const OwnState& own, bool leaving) override {
    if (state_keeper_ == nullptr) return absl::OkStatus();
    return state_keeper_->HandIn(clock, own, leaving);
  }
  void Report(const WorkerProgress& progress) override { heartbeat_.Report(progress); }
  bool expelled() const override { return heartbeat_.expelled(); }
  bool stopping() const override { return heartbeat_.stopping(); }
  absl::Status Leave(Clock clock, const WorkerProgress& progress) override;

 private:
  Sender MakeSender() const;
  absl::Time Deadline() const { return absl::Now() + options_.deadline; }
  std::string CoordinatorName() const {
    return absl::StrCat("the coordinator at ", options_.coordinator);
  }
  // Gradients that were checked.
  struct Outgoing {
    std::vector<const float*> tensors;  // by tensor
    Router::Messages messages = Router::kLarge;  // of the groups, and of the pull that goes along
    std::vector<Router::Group> groups;
  };
  Router::Messages MessagesNow() const;
  absl::Status CheckFits(const Destination& to) const;
  absl::StatusOr<Outgoing> Check(absl::Span<const Gradient> gradients) const;
  std::shared_ptr<PullOperation> BeginPull(Router::Messages messages, const Destination& to,
                                           bool observer, PullDone done);
  void SendPull(const TensorRequests::PullTo& to, const Router::Group& group,
                std::shared_ptr<PullOperation> operation);
  void PullAll(Clock clock, bool observer, const Destination& to, PullDone done);
  void SendPushes(Clock clock, const Outgoing& out, Done done);
  bool FitOneRoundTrip(const Outgoing& out) const;
  void SendPushPull(const StepEnd& step, const Outgoing& out, const Destination& to,
                    PullDone done);
  void NotePushed(size_t shard, Clock clock, const grpc::ByteBuffer& reply);
  // With backup workers shard 0 decides who makes a step; the others are told only then.
  bool LeadDecides() const { return job().backup_workers() > 0 && job().sync_mode() == SYNC; }
  CommitRequest MakeCommit(Clock clock, uint64_t samples,
                           const std::vector<Rank>& contributors) const;
  void SendCommit(size_t shard, const CommitRequest& request, CommitDone done);
  absl::Status ConnectStateKeeper(const ShardMap& map);
  absl::Status ConnectShard(const std::string& address, const ShardConnection::Queues& queues);

  const ClientOptions options_;
  const std::unique_ptr<Coordinator::Stub> coordinator_;
  const JoinWorkerReply joined_;
  // Set by CreateTensors, before anything else looks at them.
  uint64_t map_epoch_ = 0;
  std::unique_ptr<Router> router_;
  std::unique_ptr<ChunkVersions> versions_;
  std::unique_ptr<HeldWeights> held_;
  std::unique_ptr<TensorRequests> requests_;
  std::atomic<int> processes_{options_.processes};
  // One more than the last clock of which a shard skipped something.
  std::atomic<Clock> skipped_{0};
  CallGroup calls_;
  // One for each thread; the channels of a shard are dealt out to them.
  std::vector<std::unique_ptr<grpc::CompletionQueue>> queues_;
  std::vector<std::unique_ptr<CompletionLoop>> loops_;
  std::vector<std::unique_ptr<ShardConnection>> shards_;
  std::unique_ptr<StateKeeper> state_keeper_;  // if the job's workers carry state
  LentBlocks lent_;
  Heartbeat heartbeat_;
};

Sender ClientImpl::MakeSender() const {
  Sender sender;
  sender.set_rank(rank());
  sender.set_incarnation(incarnation());
  sender.set_protocol(kProtocolVersion);
  sender.set_map_epoch(map_epoch_);
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
  map_epoch_ = reply->map().epoch();
  ShardConnection::Queues queues;
  for (int i = 0; i < IoThreads(options_); ++i) {
    queues_.push_back(std::make_unique<grpc::CompletionQueue>());
    loops_.push_back(std::make_unique<CompletionLoop>(queues_.back().get()));
    queues.push_back(queues_.back().get());
  }
  for (const std::string& address : reply->map().shards()) {
    SYNCLINE_RETURN_IF_ERROR(ConnectShard(address, queues));
  }
  std::vector<size_t> message_bytes;
  for (const auto& shard : shards_) {
    message_bytes.push_back(shard->has_link() ? kLentBytes : options_.message_bytes);
  }
  router_ = std::make_unique<Router>(reply->map(), message_bytes);
  versions_ = std::make_unique<ChunkVersions>(router_->chunks().size());
  held_ = std::make_unique<HeldWeights>(router_->chunks().size());
  requests_ = std::make_unique<TensorRequests>(MakeSender(), router_.get(), codecs, job().seed(),
                                               versions_.get(), held_.get());
  return carries_state() ? ConnectStateKeeper(reply->map()) : absl::OkStatus();
}

absl::Status ClientImpl::ConnectStateKeeper(const ShardMap& map) {
  StateKeeper::Options options;
  options.sender = MakeSender();
  options.addresses.assign(map.shards().begin(), map.shards().end());
  for (const std::string& address : options.addresses) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
    options.shards.push_back(ParameterServer::NewStub(channel));
  }
  options.router = router_.get();
  options.encoder = requests_->encoder();
  options.calls = &calls_;
  options.patience = options_.deadline;
  state_keeper_ = std::make_unique<StateKeeper>(std::move(options));
  return absl::OkStatus();
}

absl::Status ClientImpl::ConnectShard(const std::string& address,
                                      const ShardConnection::Queues& queues) {
  ShardConnection::Options options;
  options.address = address;
  options.security = options_.security;
  options.channels = options_.channels_per_shard;
  options.patience = options_.deadline;
  SYNCLINE_ASSIGN_OR_RETURN(auto connection, ShardConnection::Create(options, &calls_, queues));
  shards_.push_back(std::move(connection));
  if (!job().shared_memory()) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
  // Without a link tensors go through the network, so why there is none does not matter.
  auto link = LocalLink::Attach(*ParameterServer::NewStub(channel), MakeSender(), lent_, {});
  if (link.ok()) shards_.back()->SetLink(*std::move(link));
  return absl::OkStatus();
}

int ClientImpl::shards_on_this_host() const {
  return static_cast<int>(std::count_if(shards_.begin(), shards_.end(),
                                        [](const auto& shard) { return shard->has_link(); }));
}

absl::Status ClientImpl::CheckFits(const Destination& to) const {
  if (router_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  if (to.tensors.size() == router_->tensors()) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("memory for ", to.tensors.size(),
                                                 " tensors, the model has ", router_->tensors()));
}

absl::StatusOr<ClientImpl::Outgoing> ClientImpl::Check(
    absl::Span<const Gradient> gradients) const {
  if (router_ == nullptr) return absl::FailedPreconditionError("call CreateTensors first");
  Outgoing out;
  out.tensors.resize(router_->tensors());
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
  out.groups = router_->GroupsOf(order, out.messages);
  return out;
}

// As the slowest path to a shard asks for.
Router::Messages ClientImpl::MessagesNow() const {
  const bool slow = std::any_of(shards_.begin(), shards_.end(), [](const auto& shard) {
    const double rate = shard->has_link() ? 0 : shard->rate();
    return rate > 0 && rate < kSlowRate;
  });
  return slow ? Router::kSmall : Router::kLarge;
}

std::shared_ptr<PullOperation> ClientImpl::BeginPull(Router::Messages messages,
                                                     const Destination& to, bool observer,
                                                     PullDone done) {
  return std::make_shared<PullOperation>(router_.get(), messages, to, std::move(done),
                                         observer ? nullptr : versions_.get(), held_.get());
}

void ClientImpl::SendPull(const TensorRequests::PullTo& to, const Router::Group& group,
                          std::shared_ptr<PullOperation> operation) {
  shards_[group.shard]->Send(Method::kPull, group.bytes, requests_->Pull(to, group),
                             [operation = std::move(operation), &group](auto reply) {
                               operation->Receive(group, std::move(reply));
                             });
}

void ClientImpl::PullAll(Clock clock, bool observer, const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const Router::Messages messages = MessagesNow();
  const auto operation = BeginPull(messages, to, observer, std::move(done));
  for (const Router::Group& group : router_->pulls(messages)) {
    SendPull({clock, observer, to.tensors, to.untouched}, group, operation);
  }
}

void ClientImpl::Push(Clock clock, absl::Span<const Gradient> gradients, Done done) {
  const absl::StatusOr<Outgoing> out = Check(gradients);
  if (!out.ok()) return done(out.status());
  SendPushes(clock, *out, std::move(done));
}

void ClientImpl::SendPushes(Clock clock, const Outgoing& out, Done done) {
  if (out.groups.empty()) return done(absl::OkStatus());
  const auto gather = std::make_shared<Gather>(out.groups.size(), std::move(done));
  for (const Router::Group& group : out.groups) {
    shards_[group.shard]->Send(
        Method::kPush, group.bytes, requests_->Push({clock, out.tensors}, group),
        [this, clock, gather, shard = group.shard](absl::StatusOr<grpc::ByteBuffer> buffer) {
          if (buffer.ok()) NotePushed(shard, clock, *buffer);
          gather->PartDone(buffer.status());
        });
  }
}

// What a shard says of a push. If it left out a gradient that is not finite (on_nonfinite: skip),
// in sync all of the contribution must stay out, on all shards: Commit says 0 samples.
void ClientImpl::NotePushed(size_t shard, Clock clock, const grpc::ByteBuffer& buffer) {
  const auto reply = DecodeMessage<PushReply>(buffer);
  if (!reply.ok()) return;
  if (reply->skipped_size() > 0) skipped_ = clock + 1;
  shards_[shard]->Grant(reply->window());
}

void ClientImpl::SendCommit(size_t shard, const CommitRequest& request, CommitDone done) {
  const grpc::ByteBuffer bytes = EncodeMessage(request);
  shards_[shard]->Send(
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

void ClientImpl::Commit(Clock clock, uint64_t samples, const std::vector<Rank>& contributors,
                        CommitDone done) {
  if (router_ == nullptr) return done(absl::FailedPreconditionError("call CreateTensors first"));
  const CommitRequest request = MakeCommit(clock, samples, contributors);
  const bool ask_lead = LeadDecides();
  const auto to_rest = [this, request, ask_lead](CommitDone told) {
    const size_t first = ask_lead ? 1 : 0;
    if (first >= shards_.size()) return told(true);
    const auto gather = std::make_shared<Gather>(
        shards_.size() - first, [told = std::move(told)](absl::Status status) {
          if (!status.ok()) return told(status);
          told(true);
        });
    for (size_t shard = first; shard < shards_.size(); ++shard) {
      SendCommit(shard, request, [gather](auto accepted) { gather->PartDone(accepted.status()); });
    }
  };
  if (!ask_lead) return to_rest(std::move(done));
  SendCommit(0, request, [to_rest, done = std::move(done)](absl::StatusOr<bool> accepted) {
    if (!accepted.ok() || !*accepted) return done(std::move(accepted));
    to_rest(done);
  });
}

bool ClientImpl::FitOneRoundTrip(const Outgoing& out) const {
  if (job().sync_mode() == SYNC && shards_.size() > 1) return false;
  std::vector<int> pushed(shards_.size()), pulled(shards_.size());
  const auto once = [](const std::vector<int>& counts) {
    return std::all_of(counts.begin(), counts.end(), [](int count) { return count <= 1; });
  };
  for (const Router::Group& group : out.groups) ++pushed[group.shard];
  for (const Router::Group& group : router_->pulls(out.messages)) ++pulled[group.shard];
  return once(pushed) && once(pulled);
}

void ClientImpl::PushPull(const StepEnd& step, absl::Span<const Gradient> gradients,
                          const Destination& to, PullDone done) {
  const absl::Status fits = CheckFits(to);
  if (!fits.ok()) return done(fits);
  const absl::StatusOr<Outgoing> out = Check(gradients);
  if (!out.ok()) return done(out.status());
  if (!LeadDecides() && FitOneRoundTrip(*out)) {
    return SendPushPull(step, *out, to, std::move(done));
  }
  SendPushes(step.clock, *out,
             [this, step, rest = Outgoing{{}, out->messages, {}}, tensors = std::vector<float*>(to.tensors.begin(), to.tensors.end()),
              to = Destination(to), done = std::move(done)](const absl::Status& pushed) mutable {
               if (!pushed.ok()) return done(pushed);
               to.tensors = tensors;
               if (!LeadDecides()) return SendPushPull(step, rest, to, std::move(done));
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
  const CommitRequest commit = MakeCommit(step.clock, step.samples, step.contributors);
  const TensorRequests::PullTo pull{step.next, false, to.tensors, to.untouched};
  const auto operation = BeginPull(out.messages, to, false, std::move(done));
  std::vector<bool> committed(shards_.size());
  for (const Router::Group& group : router_->pulls(out.messages)) {
    const bool first = !committed[group.shard];
    committed[group.shard] = true;
    if (!first) {
      SendPull(pull, group, operation);
      continue;
    }
    const auto pushed =
        std::find_if(out.groups.begin(), out.groups.end(),
                     [&](const Router::Group& g) { return g.shard == group.shard; });
    shards_[group.shard]->Send(
        Method::kPushPull, 0,
        requests_->PushPull({step.clock, out.tensors},
                            pushed == out.groups.end() ? nullptr : &*pushed, commit, pull, group),
        [operation, &group](auto reply) { operation->Receive(group, std::move(reply)); });
  }
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
