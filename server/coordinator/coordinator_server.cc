#include "server/coordinator/coordinator_server.h"

#include <algorithm>
#include <atomic>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/obs/status_page.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_macros.h"
#include "common/time/steady_notification.h"
#include "server/coordinator/coordinator.h"
#include "server/coordinator/coordinator_metrics.h"
#include "server/coordinator/coordinator_service.h"
#include "server/coordinator/directory_store.h"
#include "server/coordinator/etcd_store.h"
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

absl::StatusOr<std::unique_ptr<MetadataStore>> OpenMetadata(const CoordinatorServer::Options& options,
                                                            bool* stood_by) {
  const auto waiting = [metadata = options.metadata, stood_by] {
    spdlog::info("another coordinator has {}: standing by", metadata);
    *stood_by = true;
  };
  if (!absl::StartsWith(options.metadata, "etcd:")) {
    return DirectoryStore::Open(options.files, options.metadata, waiting, options.stop);
  }
  const auto address = ParseEtcdAddress(options.metadata, absl::StrCat("/syncline/", options.job.name()));
  if (!address.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("--metadata: ", address.status().message()));
  }
  EtcdStore::Options etcd;
  etcd.address = *address;
  etcd.security = options.security;
  etcd.lease = options.member_lease;
  etcd.waiting = waiting;
  etcd.stop = options.stop;
  etcd.deposed = options.deposed;
  return EtcdStore::Open(std::move(etcd));
}

// The status page, which is there before the coordinator: also whoever stands by is alive.
class Page {
 public:
  static absl::StatusOr<std::unique_ptr<Page>> Start(const CoordinatorServer::Options& options) {
    auto page = std::make_unique<Page>();
    const std::string host = options.listen.substr(0, options.listen.rfind(':'));
    StatusPage::Options served;
    served.listen = absl::StrCat(host, ":", options.http_port);
    served.metrics = [page = page.get()]() -> std::vector<Metric> {
      CoordinatorCore* const core = page->core_;
      if (core == nullptr) return {};
      const auto status = core->ClusterStatus();
      if (!status.ok()) return {};
      return CoordinatorMetrics(*status);
    };
    // Members may come as soon as it listens.
    served.not_ready = [page = page.get()] {
      return std::string(page->core_ == nullptr ? "standing by, or about to begin" : "");
    };
    SYNCLINE_ASSIGN_OR_RETURN(page->page_, StatusPage::Start(std::move(served)));
    page->address_ = absl::StrCat(host, ":", page->page_->port());
    return page;
  }

  // host:port.
  const std::string& address() const { return address_; }
  // Shows how a job goes from here on; not owned.
  void Show(CoordinatorCore* core) { core_ = core; }

 private:
  std::atomic<CoordinatorCore*> core_{nullptr};
  std::unique_ptr<StatusPage> page_;
  std::string address_;
};

class CoordinatorServerImpl final : public CoordinatorServer {
 public:
  CoordinatorServerImpl(std::unique_ptr<MetadataStore> metadata,
                        std::unique_ptr<CoordinatorCore> core, std::unique_ptr<Page> page,
                        const SecurityOptions& security)
      : metadata_(std::move(metadata)),
        core_(std::move(core)),
        service_(core_.get(), CallerRoles(security)),
        page_(std::move(page)) {}

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
    server.callers = kShardRole | kWorkerRole | kOperatorRole;
    SYNCLINE_ASSIGN_OR_RETURN(runtime_, ServerRuntime::Start(server, {&service_}));
    if (page_ != nullptr) page_->Show(core_.get());
    ticking_ = std::thread([this] {
      while (!closing_.WaitForNotificationWithTimeout(kTick)) core_->Tick();
    });
    runtime_->SetServing(true);
    return absl::OkStatus();
  }

  const std::string& address() const override { return runtime_->address(); }
  const std::string& http_address() const override {
    static const std::string none;
    return page_ == nullptr ? none : page_->address();
  }
  absl::StatusOr<DrainReply> Drain() override { return core_->Drain({}); }
  bool finished() const override { return core_->finished(); }

 private:
  const std::unique_ptr<MetadataStore> metadata_;  // may be null
  const std::unique_ptr<CoordinatorCore> core_;
  CoordinatorService service_;
  std::unique_ptr<ServerRuntime> runtime_;
  std::unique_ptr<Page> page_;  // may be null
  SteadyNotification closing_;
  std::thread ticking_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<CoordinatorServer>> CoordinatorServer::Start(
    const Options& options) {
  CoordinatorCore::Options core;
  core.job = options.job;
  core.files = options.files;
  std::unique_ptr<Page> page;
  if (options.http_port >= 0) {
    SYNCLINE_ASSIGN_OR_RETURN(page, Page::Start(options));
  }
  std::unique_ptr<MetadataStore> metadata;
  if (!options.metadata.empty()) {
    bool stood_by = false;
    SYNCLINE_ASSIGN_OR_RETURN(metadata, OpenMetadata(options, &stood_by));
    SYNCLINE_ASSIGN_OR_RETURN(core.records, metadata->Read());
    core.metadata = metadata.get();
    if (stood_by && !core.records.empty() && core.records.back().has_ended()) {
      return absl::CancelledError("the job has ended while this coordinator stood by");
    }
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
  core.load_interval = options.load_interval;
  if (core.restore_from.empty() && core.records.empty()) WarnOfOtherCheckpoints(options);
  if (!core.records.empty() && !core.records.back().has_ended()) {
    spdlog::info("going on with job {} as coordinator number {}", options.job.name(),
                 core.generation);
  }
  SYNCLINE_ASSIGN_OR_RETURN(auto made, CoordinatorCore::Create(std::move(core)));
  auto server = std::make_unique<CoordinatorServerImpl>(std::move(metadata), std::move(made), std::move(page),
                                                        options.security);
  SYNCLINE_RETURN_IF_ERROR(server->Serve(options));
  return server;
}

}  // namespace syncline
