#include "server/shard_server.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/cluster/life.h"
#include "common/memory/local_plane.h"
#include "common/obs/status_page.h"
#include "common/rpc/call.h"
#include "common/rpc/channel.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_macros.h"
#include "common/threads/parallel_for.h"
#include "common/threads/thread_pool.h"
#include "common/time/steady_now.h"
#include "proto/coordinator.grpc.pb.h"
#include "server/attendance.h"
#include "server/durability/checkpoint_reader.h"
#include "server/chunk_lane.h"
#include "server/hand_over.h"
#include "server/lull.h"
#include "server/peer_norms.h"
#include "server/replicator.h"
#include "server/service/parameter_service.h"
#include "server/service/shard_host.h"
#include "server/service/tensor_calls.h"
#include "server/shard_metrics.h"
#include "server/spill/spill_file.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr int kMaxThreads = 1024;
constexpr uint64_t kMinReceiveBytes = 1 << 20;
constexpr uint64_t kMinTableMemory = 1 << 20;

// One that goes on failing is not to fill the log.
void WarnOfFailedEviction(uint64_t times, const absl::Status& error) {
  if ((times & (times - 1)) != 0) return;
  spdlog::error("rows of a table whose time has come stay until the next attempt, as has happened {} times: {}", times,
                std::string(error.message()));
}

class ShardServerImpl final : public ShardServer {
 public:
  explicit ShardServerImpl(Options options)
      : options_(std::move(options)),
        host_([this](const ConfigureRequest& request) { return MakeShard(request); }),
        apply_(Threads(options_) - 1),
        calls_(&host_, {Spread(), options_.receive_bytes}),
        local_([this](const auto& link, const LocalFrame& call, absl::string_view body) {
          calls_.ServeLocal(link, call, body);
        }),
        service_(&host_, &calls_, &local_, options_.files, CallerRoles(options_.security)) {}
  ~ShardServerImpl() override;

  absl::Status Start();
  const std::string& address() const override { return runtime_->address(); }
  const std::string& http_address() const override { return http_address_; }
  absl::Status Drain(absl::Duration patience) override;
  bool retired() const override { return attendance_.retired(); }

 private:
  static int Threads(const Options& options) {
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    return std::clamp(options.apply_threads > 0 ? options.apply_threads : cores, 1, kMaxThreads);
  }
  ParallelFor Spread() {
    return [this](size_t count, const auto& body) { apply_.For(count, body); };
  }
  std::string advertised() const {
    return options_.advertise.empty() ? address() : options_.advertise;
  }
  absl::StatusOr<std::unique_ptr<Shard>> MakeShard(const ConfigureRequest& request);
  absl::Status OpenSpillFile();
  absl::Status StartPage();
  void Attend();
  // Says so if tables take more memory than they may.
  void WatchMemory();

  const Options options_;
  const uint64_t life_ = NewLife();
  Attendance attendance_;
  std::unique_ptr<PeerNorms> norms_;
  std::shared_ptr<SpillFile> spill_;  // null: rows of tables stay in memory
  uint64_t warned_of_ = 0;            // bytes that they take
  ShardHost host_;
  ThreadPool apply_;
  TensorCalls calls_;
  LocalPlane local_;
  ParameterService service_;
  std::shared_ptr<HandOver> hand_over_;
  std::shared_ptr<Replicator> replicator_;
  std::unique_ptr<ServerRuntime> runtime_;
  std::unique_ptr<StatusPage> page_;
  std::string http_address_;
  std::unique_ptr<Coordinator::Stub> coordinator_;
};

ShardServerImpl::~ShardServerImpl() {
  attendance_.End();
  norms_.reset();
  hand_over_.reset();
  if (replicator_ != nullptr) replicator_->Stop();
  page_.reset();
  const auto shard = host_.shard();
  if (shard.ok()) (*shard)->Close();
  local_.Close();
  if (runtime_ != nullptr) runtime_->Shutdown(absl::Seconds(1));
}

absl::Status ShardServerImpl::Start() {
  ServerRuntime::Options options;
  options.listen = options_.listen;
  options.security = options_.security;
  options.callers = kCoordinatorRole | kShardRole | kWorkerRole | kOperatorRole;
  options.listen_on = [this](grpc::ServerCompletionQueue* queue) { service_.ListenOn(queue); };
  if (options_.io_threads < 0 || options_.io_threads > 64) {
    return absl::InvalidArgumentError(
        absl::StrCat("--io_threads is ", options_.io_threads, ": it must be from 0 to 64"));
  }
  if (options_.apply_threads < 0 || options_.apply_threads > kMaxThreads) {
    return absl::InvalidArgumentError(absl::StrCat("--apply_threads is ", options_.apply_threads,
                                                   ": it must be from 0 to ", kMaxThreads));
  }
  if (options_.receive_bytes < kMinReceiveBytes) {
    return absl::InvalidArgumentError(absl::StrCat("--receive_bytes is ", options_.receive_bytes,
                                                   ": it must be at least ", kMinReceiveBytes));
  }
  SYNCLINE_RETURN_IF_ERROR(OpenSpillFile());
  options.queues = options_.io_threads;
  if (options.queues == 0) {
    options.queues = std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 8);
  }
  SYNCLINE_ASSIGN_OR_RETURN(runtime_, ServerRuntime::Start(options, {&service_}));
  SYNCLINE_RETURN_IF_ERROR(StartPage());
  if (options_.coordinator.empty()) return absl::OkStatus();
  SYNCLINE_ASSIGN_OR_RETURN(auto channel, MakeChannel(options_.coordinator, options_.security));
  coordinator_ = Coordinator::NewStub(channel);
  Attend();
  return absl::OkStatus();
}

absl::Status ShardServerImpl::OpenSpillFile() {
  if (options_.table_memory == 0) return absl::OkStatus();
  if (options_.table_memory < kMinTableMemory) {
    return absl::InvalidArgumentError(absl::StrCat("--table_memory is ", options_.table_memory,
                                                   ": it must be 0, for no limit, or at least ", kMinTableMemory));
  }
  if (options_.table_folder.empty()) {
    return absl::InvalidArgumentError(
        "--table_folder is missing: with --table_memory, name a folder on a local disk for the rows that do not fit");
  }
  SYNCLINE_ASSIGN_OR_RETURN(spill_, SpillFile::Create(options_.table_folder));
  return absl::OkStatus();
}

void ShardServerImpl::WatchMemory() {
  const auto shard = host_.shard();
  if (spill_ == nullptr || !shard.ok()) return;
  const RowMemory rows = (*shard)->Status().row_memory();
  if (rows.memory_bytes() < std::max(rows.memory_limit() + rows.memory_limit() / 8, 2 * warned_of_)) return;
  warned_of_ = rows.memory_bytes();
  spdlog::warn("tables take {} bytes, --table_memory is {}: {} of {} rows are on disk, and what finds them takes about 10 "
               "bytes a row, which stay, beside two pages for each slot; give more, or spread the rows over more shards",
               rows.memory_bytes(), rows.memory_limit(), rows.cold_rows(), rows.rows());
}

void ShardServerImpl::Attend() {
  Attendance::Options options;
  options.coordinator = options_.coordinator;
  options.address = advertised();
  options.life = life_;
  options.work = [this] {
    WatchMemory();
    const auto shard = host_.shard();
    return shard.ok() ? (*shard)->Work() : std::vector<ChunkWork>();
  };
  attendance_.Begin(std::move(options), coordinator_.get());
}

absl::Status ShardServerImpl::StartPage() {
  if (options_.http_port < 0) return absl::OkStatus();
  const std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
  StatusPage::Options page;
  page.listen = absl::StrCat(host, ":", options_.http_port);
  page.metrics = [this]() -> std::vector<Metric> {
    const auto shard = host_.shard();
    if (!shard.ok()) return {};
    ShardStatusReply status = (*shard)->Status();
    service_.FillStatus(&status);
    return ShardMetrics(status);
  };
  page.not_ready = [this] { return std::string(host_.shard().status().message()); };
  SYNCLINE_ASSIGN_OR_RETURN(page_, StatusPage::Start(std::move(page)));
  http_address_ = absl::StrCat(host, ":", page_->port());
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Shard>> ShardServerImpl::MakeShard(const ConfigureRequest& request) {
  ShardOptions options;
  options.job = request.job();
  options.map = request.map();
  options.shard = request.shard();
  options.life = NewLife();
  options.parallel_for = Spread();
  options.seconds = [] { return absl::ToDoubleSeconds(SteadyNow() - absl::UnixEpoch()); };
  options.table_memory = std::make_shared<TableMemory>(options_.table_memory, spill_, WarnOfFailedEviction);
  if (!options_.coordinator.empty()) {
    options.counted_on = [this](uint64_t epoch) { return attendance_.CountedOn(epoch); };
  }
  // With what an earlier attempt at the job had yet to send, that is forgotten.
  const ChunkLane::Options lanes{options_.security, request.job().shared_memory()};
  std::shared_ptr<Lull> answers;
  if (request.job().sync_mode() == SYNC) answers = std::make_shared<Lull>();
  hand_over_ = std::make_shared<HandOver>(lanes, answers);
  if (answers != nullptr) options.answering = [answers](bool begins) { begins ? answers->Begin() : answers->End(); };
  options.hand_over = [to = hand_over_](const ShardMap& map, std::vector<ChunkSnapshot> chunks) {
    to->Send(map, std::move(chunks));
  };
  std::unique_ptr<PeerNorms> norms;
  if (request.job().optimizer().clip_norm() > 0 && request.job().sync_mode() == SYNC) {
    norms = std::make_unique<PeerNorms>(options_.security);
    MapVersion first;
    *first.mutable_map() = request.map();
    norms->SetMap(first, request.shard());
    options.norms_wanted = [to = norms.get()](uint64_t step) { to->Want(step); };
  }
  options.map_changes = [norms = norms.get(), to = hand_over_](const MapVersion& next, uint32_t shard) {
    if (norms != nullptr) norms->SetMap(next, shard);
    if (next.take_over()) to->GiveUpBefore(next.map().epoch());
  };
  // The shard before this one may be used until the last call of it has ended.
  if (replicator_ != nullptr) replicator_->Stop();
  replicator_ = std::make_shared<Replicator>(lanes);
  if (request.map().replicas() > 1) {
    options.replicate = [to = replicator_](const std::string& address, uint64_t map_epoch,
                                           std::vector<ChunkSnapshot> chunks, Replicator::Done done) {
      to->Send(address, map_epoch, std::move(chunks), std::move(done));
    };
  }
  if (request.has_members()) options.members = request.members();
  SYNCLINE_ASSIGN_OR_RETURN(auto shard, Shard::Create(std::move(options)));
  if (!request.restore_from().empty()) {
    SYNCLINE_ASSIGN_OR_RETURN(
        const StoredShard stored,
        OpenStoredShard(*options_.files, request.restore_from(), request.map(), request.shard()));
    SYNCLINE_RETURN_IF_ERROR(shard->Restore(stored));
  }
  if (norms != nullptr) norms->SetShard(shard.get());
  norms_ = std::move(norms);
  const ShardStatusReply status = shard->Status();
  spdlog::info("shard {} of {}: {} chunks, {} bytes, at step {}", request.shard(),
               request.map().shards_size(), status.chunks(), status.bytes(), status.step());
  runtime_->SetServing(true);
  return shard;
}

absl::Status ShardServerImpl::Drain(absl::Duration patience) {
  if (coordinator_ == nullptr) return absl::OkStatus();
  DrainRequest request;
  request.set_shard(advertised());
  const absl::Time deadline = SteadyNow() + patience;
  int attempts = 0;
  // A coordinator that is away comes back, or another does: others are to have the chunks first.
  return RetryUntil(deadline, "leaving", [&] {
    if (!host_.Needed()) return absl::OkStatus();
    if (++attempts == 2) {
      spdlog::warn("no coordinator at {} takes this shard's chunks away: waiting for one for up to {}",
                   options_.coordinator, absl::FormatDuration(patience));
    }
    return Call<DrainReply>(*coordinator_, &Coordinator::Stub::Drain, request, deadline - SteadyNow()).status();
  });
}

}  // namespace

absl::StatusOr<std::unique_ptr<ShardServer>> ShardServer::Start(const Options& options) {
  auto server = std::make_unique<ShardServerImpl>(options);
  SYNCLINE_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace syncline
