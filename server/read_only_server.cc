#include "server/read_only_server.h"

#include <algorithm>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/obs/status_page.h"
#include "common/rpc/server_runtime.h"
#include "common/status/status_macros.h"
#include "server/checkpoint_watcher.h"
#include "server/service/serving_service.h"

namespace syncline {
namespace {

constexpr absl::Duration kShortest = absl::Milliseconds(10), kLongest = absl::Hours(1);

absl::Status Check(const ReadOnlyServer::Options& options) {
  if (options.checkpoints.empty()) {
    return absl::InvalidArgumentError("--checkpoints is missing: name the folder in which checkpoints lie");
  }
  if (options.interval < kShortest || options.interval > kLongest) {
    return absl::InvalidArgumentError(
        absl::StrCat("--poll is ", absl::FormatDuration(options.interval), ": it must be from ",
                     absl::FormatDuration(kShortest), " to ", absl::FormatDuration(kLongest)));
  }
  if (options.part.index >= options.part.count) {
    return absl::InvalidArgumentError(
        absl::StrCat("part ", options.part.index, " of ", options.part.count, ": they count from 0"));
  }
  if (options.io_threads >= 0 && options.io_threads <= 64) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--io_threads is ", options.io_threads, ": it must be from 0 to 64"));
}

class ReadOnlyServerImpl final : public ReadOnlyServer {
 public:
  explicit ReadOnlyServerImpl(Options options) : options_(std::move(options)) {}
  ~ReadOnlyServerImpl() override {
    watcher_.reset();
    page_.reset();
    if (runtime_ != nullptr) runtime_->Shutdown(absl::Seconds(1));
  }

  absl::Status Start();
  const std::string& address() const override { return runtime_->address(); }
  const std::string& http_address() const override { return http_address_; }

 private:
  void Watch();
  absl::Status StartPage();
  std::vector<Metric> Metrics() const;

  const Options options_;
  ServingService service_;
  std::unique_ptr<ServerRuntime> runtime_;
  std::unique_ptr<CheckpointWatcher> watcher_;
  std::unique_ptr<StatusPage> page_;
  std::string http_address_;
};

absl::Status ReadOnlyServerImpl::Start() {
  SYNCLINE_RETURN_IF_ERROR(Check(options_));
  ServerRuntime::Options options;
  options.listen = options_.listen;
  options.security = options_.security;
  options.callers = kReaderRole | kWorkerRole | kOperatorRole;
  options.listen_on = [this](grpc::ServerCompletionQueue* queue) { service_.ListenOn(queue); };
  options.queues = options_.io_threads;
  if (options.queues == 0) {
    options.queues = std::clamp(static_cast<int>(std::thread::hardware_concurrency()) / 2, 1, 8);
  }
  SYNCLINE_ASSIGN_OR_RETURN(runtime_, ServerRuntime::Start(options, {&service_}));
  Watch();
  return StartPage();
}

void ReadOnlyServerImpl::Watch() {
  CheckpointWatcher::Options watch;
  watch.files = options_.files;
  watch.directory = options_.checkpoints;
  watch.part = options_.part;
  watch.interval = options_.interval;
  watch.serve = [this](std::shared_ptr<ServedCheckpoint> checkpoint) {
    service_.Serve(std::move(checkpoint));
    runtime_->SetServing(true);
  };
  watcher_ = std::make_unique<CheckpointWatcher>(std::move(watch));
  watcher_->Start();
}

absl::Status ReadOnlyServerImpl::StartPage() {
  if (options_.http_port < 0) return absl::OkStatus();
  const std::string host = options_.listen.substr(0, options_.listen.rfind(':'));
  StatusPage::Options page;
  page.listen = absl::StrCat(host, ":", options_.http_port);
  page.metrics = [this] { return Metrics(); };
  page.not_ready = [this]() -> std::string {
    if (service_.served().ok()) return "";
    const std::string trouble = watcher_->trouble();
    return trouble.empty() ? "the first checkpoint is being read" : trouble;
  };
  page.ready = [this] {
    const auto served = service_.served();
    return served.ok() ? absl::StrCat("serving step ", (*served)->step(), " of job ", (*served)->job(), ", ",
                                      (*served)->folder())
                       : "";
  };
  SYNCLINE_ASSIGN_OR_RETURN(page_, StatusPage::Start(std::move(page)));
  http_address_ = absl::StrCat(host, ":", page_->port());
  return absl::OkStatus();
}

std::vector<Metric> ReadOnlyServerImpl::Metrics() const {
  using Kind = Metric::Kind;
  std::vector<Metric> metrics = {
      {"syncline_serving_stale", "1 while the newest checkpoint of the folder is not the one served.", Kind::kGauge, {},
       watcher_->trouble().empty() ? 0.0 : 1.0},
      {"syncline_serving_refused_total", "Checkpoints that could not be read, each time it was tried.", Kind::kCounter,
       {}, static_cast<double>(watcher_->refused())}};
  const auto served = service_.served();
  if (!served.ok()) return metrics;
  metrics.push_back({"syncline_serving_step", "Step of the checkpoint that is served.", Kind::kGauge, {},
                     static_cast<double>((*served)->step())});
  metrics.push_back({"syncline_serving_bytes", "Bytes of tensors and stored rows served.", Kind::kGauge, {},
                     static_cast<double>((*served)->bytes())});
  return metrics;
}

}  // namespace

absl::StatusOr<std::unique_ptr<ReadOnlyServer>> ReadOnlyServer::Start(const Options& options) {
  auto server = std::make_unique<ReadOnlyServerImpl>(options);
  SYNCLINE_RETURN_IF_ERROR(server->Start());
  return server;
}

}  // namespace syncline
