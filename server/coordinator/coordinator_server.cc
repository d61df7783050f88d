#include "server/coordinator/coordinator_server.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "common/obs/status_page.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_macros.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/coordinator_metrics.h"
#include "server/coordinator/coordinator_service.h"
#include "server/coordinator/directory_store.h"
#include "server/coordinator/grpc_shard_link.h"
#include "server/durability/checkpoint_reader.h"
#include "spdlog/spdlog.h"

namespace syncline {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);

absl::StatusOr<std::string> FolderToRestore(const CoordinatorServer::Options& options) {
  if (options.restore != "latest") return options.restore;
  const std::string& directory = options.job.checkpoint().directory();
  if (directory.empty()) {
    return absl::InvalidArgumentError(
        "--restore=latest needs checkpoint.directory in the job (--checkpoint_directory), or name "
        "the checkpoint's folder");
  }
  const auto latest = LatestCheckpoint(*options.files, directory);
  if (latest.ok()) return latest;
  return absl::Status(latest.status().code(),
                      absl::StrCat("--restore=latest: ", latest.status().message(),
                                   "; leave out --restore to start afresh"));
}

// Checkpoints of two runs in one directory are easily taken for each other.
void WarnOfOtherCheckpoints(const CoordinatorServer::Options& options) {
  const std::string& directory = options.job.checkpoint().directory();
  if (directory.empty()) return;
  const auto latest = LatestCheckpoint(*options.files, directory);
  if (!latest.ok()) return;
  spdlog::warn("{} is of an earlier run and stays; --restore=latest takes the highest step, so give "
               "this run a --checkpoint_directory of its own, or continue that one with "
               "--restore=latest", *latest);
}

class CoordinatorServerImpl final : public CoordinatorServer {
 public:
  CoordinatorServerImpl(std::unique_ptr<MetadataStore> metadata,
                        std::unique_ptr<CoordinatorCore> core)
      : metadata_(std::move(metadata)), core_(std::move(core)), service_(core_.get()) {}

  // Calls under way may wait for what Tick does, so it goes on until they have ended.
  ~CoordinatorServerImpl() override {
    page_.reset();
    if (runtime_ != nullptr) runtime_->Shutdown(absl::Seconds(1));
    closing_.Notify();
    if (ticking_.joinable()) ticking_.join();
  }

  absl::Status Serve(const Options& options) {
    ServerRuntime::Options server;
    server.listen = options.listen;
    server.security = options.security;
    SYNCLINE_ASSIGN_OR_RETURN(runtime_, ServerRuntime::Start(server, {&service_}));
    SYNCLINE_RETURN_IF_ERROR(StartPage(options));
    ticking_ = std::thread([this] {
      while (!closing_.WaitForNotificationWithTimeout(kTick)) core_->Tick();
    });
    runtime_->SetServing(true);
    return absl::OkStatus();
  }

  const std::string& address() const override { return runtime_->address(); }
  const std::string& http_address() const override { return http_address_; }
  absl::StatusOr<DrainReply> Drain() override { return core_->Drain({}); }
  bool finished() const override { return core_->finished(); }

 private:
  absl::Status StartPage(const Options& options) {
    if (options.http_port < 0) return absl::OkStatus();
    const std::string host = options.listen.substr(0, options.listen.rfind(':'));
    StatusPage::Options page;
    page.listen = absl::StrCat(host, ":", options.http_port);
    page.metrics = [this]() -> std::vector<Metric> {
      const auto status = core_->ClusterStatus();
      if (!status.ok()) return {};
      return CoordinatorMetrics(*status);
    };
    // Members may come as soon as it listens.
    page.not_ready = [] { return std::string(); };
    SYNCLINE_ASSIGN_OR_RETURN(page_, StatusPage::Start(std::move(page)));
    http_address_ = absl::StrCat(host, ":", page_->port());
    return absl::OkStatus();
  }

  const std::unique_ptr<MetadataStore> metadata_;  // may be null
  const std::unique_ptr<CoordinatorCore> core_;
  CoordinatorService service_;
  std::unique_ptr<ServerRuntime> runtime_;
  std::unique_ptr<StatusPage> page_;
  std::string http_address_;
  absl::Notification closing_;
  std::thread ticking_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const Options& options) {
  CoordinatorCore::Options core;
  core.job = options.job;
  core.files = options.files;
  std::unique_ptr<MetadataStore> metadata;
  if (!options.metadata.empty()) {
    const auto waiting = [&] {
      spdlog::info("another coordinator has {}: standing by", options.metadata);
    };
    SYNCLINE_ASSIGN_OR_RETURN(metadata, DirectoryStore::Open(options.files, options.metadata, waiting,
                                                             options.stop));
    SYNCLINE_ASSIGN_OR_RETURN(core.records, metadata->Read());
    core.metadata = metadata.get();
  }
  for (const MetadataRecord& record : core.records) {
    core.generation = std::max(core.generation, record.started().generation() + 1);
  }
  core.connect = GrpcShards(options.security, {}, core.generation);
  if (core.records.empty() || core.records.back().has_ended()) {
    SYNCLINE_ASSIGN_OR_RETURN(core.restore_from, FolderToRestore(options));
  }
  core.member_lease = options.member_lease;
  core.lease_steps = options.lease_steps;
  core.now = [] { return absl::Now(); };
  if (core.restore_from.empty() && core.records.empty()) WarnOfOtherCheckpoints(options);
  if (!core.records.empty() && !core.records.back().has_ended()) {
    spdlog::info("going on with job {} as coordinator number {}", options.job.name(),
                 core.generation);
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto made, CoordinatorCore::Create(std::move(core)));
  auto server = std::make_unique<CoordinatorServerImpl>(std::move(metadata), std::move(made));
  SYNCLINE_RETURN_IF_ERROR(server->Serve(options));
  return server;
}

}  // namespace syncline
