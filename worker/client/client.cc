#include "worker/client/client.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/cluster/shard_map.h"
#include "common/cluster/tables.h"
#include "common/codec/tensor_codecs.h"
#include "common/memory/local_link.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "common/wire/protocol_version.h"
#include "proto/coordinator.grpc.pb.h"
#include "proto/parameter_server.grpc.pb.h"
#include "worker/client/client_impl.h"

namespace syncline {
namespace {

// Long for a coordinator that is busy with shards, short enough to notice one that went.
constexpr absl::Duration kCallTimeout = absl::Seconds(15);
constexpr absl::Duration kAttachTimeout = absl::Seconds(5);

// CallUntil, for what may have to wait for other members: ends when the caller is told to.
template <typename Reply, typename Method, typename Request>
absl::StatusOr<Reply> CallUnlessStopped(const ClientOptions& options, absl::Time deadline,
                                        const std::string& what, Coordinator::Stub* stub, Method method,
                                        const Request& request, absl::Duration timeout) {
  absl::StatusOr<Reply> reply = absl::CancelledError(absl::StrCat(what, ": told to stop"));
  SYNCLINE_RETURN_IF_ERROR(RetryUntil(deadline, what, [&] {
    if (options.stop && options.stop()) return absl::OkStatus();
    auto answer = Call<Reply>(*stub, method, request, timeout);
    if (answer.ok()) reply = *std::move(answer);
    return answer.status();
  }));
  return reply;
}

// Beside the caller, to put many rows in order.
int RowHelpers() { return std::clamp(static_cast<int>(std::thread::hardware_concurrency()) - 1, 0, 3); }

int IoThreads(const ClientOptions& options) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int threads = options.io_threads > 0 ? options.io_threads : cores / 4;
  return std::clamp(threads, 1, std::max(options.channels_per_shard, 1));
}

}  // namespace

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

absl::Status ClientImpl::CheckTrains() const {
  if (!reads_only()) return absl::OkStatus();
  return absl::FailedPreconditionError("this client reads checkpoints that are served, and takes part in no training");
}

absl::Status ClientImpl::CreateTensors(absl::Span<const TensorSpec> dense) {
  SYNCLINE_RETURN_IF_ERROR(CheckTrains());
  std::vector<TensorSpec> tensors(dense.begin(), dense.end());
  for (const Table& table : job().tables()) {
    tensors.emplace_back().set_name(table.name());
    *tensors.back().mutable_table() = table;
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto codecs, CodecsOf(job(), tensors));
  SYNCLINE_RETURN_IF_ERROR(ValidateTensors(tensors));
  CreateTensorsRequest request;
  for (const TensorSpec& tensor : tensors) *request.add_tensors() = tensor;
  // The coordinator answers UNAVAILABLE while it waits for shards, for as long as they take.
  const auto reply = CallUnlessStopped<CreateTensorsReply>(
      options_, absl::InfiniteFuture(), CoordinatorName(), coordinator_.get(),
      &Coordinator::Stub::CreateTensors, request, 2 * kCallTimeout);
  SYNCLINE_RETURN_IF_ERROR(reply.status());
  tensors_ = std::move(tensors);
  return StartRoutes(reply->map(), std::move(codecs));
}

absl::Status ClientImpl::StartRoutes(const ShardMap& map, std::vector<TensorCodecs> codecs) {
  SYNCLINE_RETURN_IF_ERROR(ValidateShardMap(map));
  if (tensors_.empty()) tensors_.assign(map.tensors().begin(), map.tensors().end());
  for (int i = 0; i < IoThreads(options_); ++i) {
    queues_.push_back(std::make_unique<grpc::CompletionQueue>());
    loops_.push_back(std::make_unique<CompletionLoop>(queues_.back().get()));
  }
  SYNCLINE_RETURN_IF_ERROR(MakeCaches());
  if (job().tables_size() > 0) {
    row_threads_ = std::make_unique<ThreadPool>(RowHelpers());
    if (job().shared_memory()) {
      row_memory_ = std::make_unique<LentPool>([this](auto block) { Lend(std::move(block)); });
      // Something must be lent for there to be links.
      row_memory_->Take(1);
    }
  }
  RouteTable::Options routes;
  routes.by_step = job().sync_mode() == SYNC;
  routes.security = options_.security;
  routes.patience = options_.deadline;
  routes.stop = options_.stop;
  routes.connect = [this](const std::string& address) { return ConnectShard(address); };
  routes.message_bytes = [this](const ShardConnection& shard) {
    return shard.has_link() ? kLentBytes : options_.message_bytes;
  };
  routes.holds = options_.holds;
  routes.installing = [this](const auto& newest) { GiveUpLost(newest); };
  routes.installed = [this](const auto& newest, const auto& before) { Installed(newest, before); };
  routes_ = std::make_unique<RouteTable>(std::move(routes));
  SYNCLINE_RETURN_IF_ERROR(routes_->Start(map));
  first_ = routes_->For(0);
  for (size_t t = 0; t < tensors_.size(); ++t) {
    if (IsTable(tensors_[t])) {
      table_tensors_.push_back(t);
      codes_rows_ = codes_rows_ || codecs[t].push > CODEC_NONE || codecs[t].pull > CODEC_NONE;
    } else if (!options_.holds || options_.holds(tensors_[t].name())) {
      held_tensors_.push_back(t);
    }
  }
  routed_ = true;
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

void ClientImpl::Lend(std::shared_ptr<const SharedMemory> memory) {
  absl::MutexLock lock(&mu_);
  for (const auto& [address, shard] : shards_) shard->Lend(memory);
  lent_.push_back(std::move(memory));
}

absl::StatusOr<ShardConnection*> ClientImpl::ConnectShard(const std::string& address) {
  LentBlocks lent;
  {
    absl::MutexLock lock(&mu_);
    const auto known = shards_.find(address);
    if (known != shards_.end()) return known->second.get();
    lent = lent_;
  }
  ShardConnection::Options options;
  options.address = address;
  options.security = options_.security;
  options.channels = options_.channels_per_shard;
  options.patience = options_.deadline;
  options.gone = [this, address](Clock clock) { return routes_->Lacks(address, clock); };
  ShardConnection::Queues queues;
  for (const auto& queue : queues_) queues.push_back(queue.get());
  SYNCLINE_ASSIGN_OR_RETURN(auto connection, ShardConnection::Create(options, &calls_, queues));
  if (job().shared_memory()) {
    SYNCLINE_ASSIGN_OR_RETURN(const auto channel, MakeChannel(address, options_.security));
    // Without a link tensors go through the network, so why there is none does not matter.
    const auto ask = [&](const AttachMemoryRequest& request) {
      return Call<AttachMemoryReply>(*ParameterServer::NewStub(channel), &ParameterServer::Stub::AttachMemory,
                                     request, kAttachTimeout);
    };
    auto link = LocalLink::Attach(ask, MakeSender(), lent, {});
    if (link.ok()) connection->SetLink(*std::move(link));
  }
  absl::MutexLock lock(&mu_);
  for (size_t i = lent.size(); i < lent_.size(); ++i) connection->Lend(lent_[i]);
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

absl::StatusOr<LeaseReply> ClientImpl::Lease(uint64_t samples, Clock from_clock, Clock committed) {
  SYNCLINE_RETURN_IF_ERROR(CheckTrains());
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
  SYNCLINE_RETURN_IF_ERROR(CheckTrains());
  // Nobody else could push it again.
  if (replays() && routed_) AwaitSafe(clock);
  LeaveWorkerRequest request;
  request.set_rank(rank());
  request.set_incarnation(incarnation());
  request.set_clock(clock);
  *request.mutable_progress() = progress;
  return CallUntil<LeaveWorkerReply>(Deadline(), CoordinatorName(), *coordinator_,
                                     &Coordinator::Stub::LeaveWorker, request, kCallTimeout)
      .status();
}

namespace {

absl::StatusOr<JoinWorkerReply> CallJoin(const ClientOptions& options,
                                         Coordinator::Stub* coordinator,
                                         JoinWorkerRequest request) {
  request.set_protocol(kProtocolVersion);
  return CallUnlessStopped<JoinWorkerReply>(
      options, SteadyNow() + options.deadline,
      absl::StrCat("joining the coordinator at ", options.coordinator), coordinator,
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
  if (options.team) request.set_team(*options.team);
  request.set_life(options.team_life);
  request.set_replaces_rank(options.replaces_rank);
  request.set_replaces_incarnation(options.replaces_incarnation);
  SYNCLINE_ASSIGN_OR_RETURN(auto joined, CallJoin(options, coordinator.get(), request));
  return std::make_unique<ClientImpl>(options, std::move(coordinator), std::move(joined));
}

// A worker's name is its own: one more member of this process gets another one.
std::string Client::DefaultName() {
  static std::atomic<int> names{0};
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  const int before = names++;
  return absl::StrCat(host, ":", getpid(), before == 0 ? "" : absl::StrCat(":", before));
}

absl::StatusOr<std::unique_ptr<Client>> Client::ConnectAs(const ClientOptions& options, Rank rank,
                                                          Incarnation incarnation,
                                                          const JobManifest& job) {
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options.coordinator, options.security));
  JoinWorkerReply member;
  member.set_rank(rank);
  member.set_incarnation(incarnation);
  *member.mutable_job() = job;
  return std::make_unique<ClientImpl>(options, Coordinator::NewStub(channel), std::move(member));
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
