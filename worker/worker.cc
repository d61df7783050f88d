#include "worker/worker.h"

#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/memory/shared_memory.h"
#include "common/obs/status_page.h"
#include "common/status/status_macros.h"
#include "common/time/steady_notification.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/local/helper.h"
#include "worker/local/host_group.h"
#include "worker/local/host_sum.h"
#include "worker/local/local_team.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/model/open_device.h"
#include "worker/pipeline/follower.h"
#include "worker/pipeline/layer_times.h"
#include "worker/pipeline/leader.h"
#include "worker/pipeline/memory_limit.h"
#include "worker/pipeline/stage.h"
#include "worker/team/team.h"
#include "worker/train/parameters.h"
#include "worker/train/trainer.h"

namespace syncline {
namespace {

// How often a worker that was given up joins again before it gives up itself.
constexpr int kMaxJoins = 5;

// What the status page shows: the trainer's progress, from its last step.
class ProgressBoard {
 public:
  void Set(const WorkerProgress& progress) {
    absl::MutexLock lock(&mu_);
    progress_ = progress;
    training_ = true;
  }
  std::vector<Metric> Metrics() const;
  std::string NotReady() const {
    absl::MutexLock lock(&mu_);
    return training_ ? "" : "no step made yet";
  }

 private:
  mutable absl::Mutex mu_;
  WorkerProgress progress_ ABSL_GUARDED_BY(mu_);
  bool training_ ABSL_GUARDED_BY(mu_) = false;
};

std::vector<Metric> ProgressBoard::Metrics() const {
  absl::MutexLock lock(&mu_);
  const WorkerProgress& p = progress_;
  const auto counter = [](const char* name, const char* help, double value) {
    return Metric{name, help, Metric::Kind::kCounter, {}, value};
  };
  return {
      counter("syncline_worker_clock", "Steps committed.", static_cast<double>(p.clock())),
      counter("syncline_worker_samples_total", "Samples trained on.",
              static_cast<double>(p.samples())),
      counter("syncline_worker_loss_total", "Loss summed over samples.", p.loss_sum()),
      counter("syncline_worker_compute_seconds_total", "Seconds computing gradients.",
              p.compute_seconds()),
      counter("syncline_worker_pull_wait_seconds_total", "Seconds waiting for weights.",
              p.pull_wait_seconds()),
      counter("syncline_worker_push_wait_seconds_total", "Seconds waiting for acknowledgements.",
              p.push_wait_seconds()),
      counter("syncline_worker_communication_seconds_total",
              "Seconds with a pull, push or commit under way; less the waits, what computing hid.",
              p.communication_seconds()),
  };
}

absl::StatusOr<std::unique_ptr<StatusPage>> ServePage(const WorkerOptions& options,
                                                      ProgressBoard* board) {
  if (options.http_port < 0) return nullptr;
  StatusPage::Options page;
  page.listen = absl::StrCat(options.page_host, ":", options.http_port);
  page.metrics = [board] { return board->Metrics(); };
  page.not_ready = [board] { return board->NotReady(); };
  return StatusPage::Start(std::move(page));
}

ClientOptions ClientOptionsOf(const WorkerOptions& options) {
  ClientOptions client;
  client.coordinator = options.coordinator;
  client.security = options.security;
  client.name = options.name;
  client.io_threads = options.io_threads;
  client.stop = options.stop;
  return client;
}

OpenDeviceOptions DeviceOptionsOf(const WorkerOptions& options, const JobManifest& job) {
  OpenDeviceOptions device;
  device.device = options.device.empty() ? job.device() : options.device;
  device.threads = options.threads > 0 ? options.threads : static_cast<int>(job.worker_threads());
  device.allow_tf32 = job.allow_tf32();
  device.allow_bf16 = job.allow_bf16();
  return device;
}

// Memory that shards on this host can read and write (if the job wants that), and other processes.
std::shared_ptr<void> Lend(Client* client, size_t bytes, std::shared_ptr<SharedMemory>* first) {
  const auto memory = SharedMemory::Create(bytes);
  if (!memory.ok()) {
    spdlog::warn("tensors go through the network: {}", std::string(memory.status().message()));
    return nullptr;
  }
  if (client->job().shared_memory()) client->Lend(*memory);
  if (*first == nullptr) *first = *memory;
  return std::shared_ptr<void>(*memory, (*memory)->data());
}

// What a membership is for, beside training.
struct Role {
  // For the other processes of this host, if it leads any; and who led them before.
  std::optional<LocalSocket> listener;
  HelperResult before;
  // Only to make what a lost worker owes; ends when this says so.
  bool stand_in = false;
  std::function<bool()> stop;
  // pipeline: the processes that share the model, whose first one this is; otherwise null.
  Team* team = nullptr;
  JobManifest job;  // with a team
};

absl::Status Train(const WorkerOptions& options, ProgressBoard* board, Role role, bool* given_up);

// Makes the steps that lost workers owe, beside a membership of this process, whenever `client` is asked
// to: by a membership of its own, with a network of its own.
class StandIn {
 public:
  StandIn(const WorkerOptions& options, const Client* client)
      : thread_([this, options, client] { Run(options, *client); }) {}
  ~StandIn() {
    closing_.Notify();
    thread_.join();
  }

 private:
  void Run(const WorkerOptions& options, const Client& client) {
    while (!closing_.WaitForNotificationWithTimeout(absl::Milliseconds(50))) {
      if (!client.stand_in_wanted()) continue;
      Role role;
      role.stand_in = true;
      role.stop = [this] { return closing_.HasBeenNotified(); };
      ProgressBoard unseen;
      bool given_up = false;
      const absl::Status stood_in = Train(options, &unseen, std::move(role), &given_up);
      if (!stood_in.ok()) spdlog::warn("standing in: {}", std::string(stood_in.message()));
      // Until the next heartbeat nobody knows whether there is more to do.
      closing_.WaitForNotificationWithTimeout(absl::Milliseconds(500));
    }
  }

  SteadyNotification closing_;
  std::thread thread_;
};

absl::StatusOr<std::unique_ptr<Device>> OpenWorkerDevice(const WorkerOptions& options,
                                                        const JobManifest& job) {
  std::string note;
  SYNCLINE_ASSIGN_OR_RETURN(auto device, OpenDevice(DeviceOptionsOf(options, job), &note));
  if (!note.empty()) spdlog::info("{}", note);
  device->LimitMemory(job.memory_limit());
  return device;
}

// What the first stage of a pipeline has of the model.
struct Placement {
  std::string layers;  // of all stages
  Network::Part part;
  std::function<bool(const std::string&)> holds;
};

absl::StatusOr<Placement> PlaceFirstStage(const JobManifest& job, const Device* device) {
  Placement placement;
  auto layers = PlaceLayers(job, device);
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(layers.status(), job));
  placement.layers = *std::move(layers);
  SYNCLINE_ASSIGN_OR_RETURN(
      const auto ranges, ParseStageLayers(placement.layers, static_cast<int>(job.pipeline().stages()),
                                          job.model().layers_size()));
  spdlog::info("layers by stage: {}", placement.layers);
  placement.part = PipelineStage::Part(job.pipeline(), 0, ranges[0]);
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(job.model(), ranges[0]));
  std::set<std::string> held;
  for (const ParameterSpec& parameter : parameters) held.insert(parameter.name);
  placement.holds = [held = std::move(held)](const std::string& tensor) { return held.count(tensor) > 0; };
  return placement;
}

// One membership, from join to leave.
absl::Status Train(const WorkerOptions& options, ProgressBoard* board, Role role, bool* given_up) {
  std::optional<LocalSocket> listener = std::move(role.listener);
  // The client goes before the network, which it may still be writing to.
  std::unique_ptr<Device> device;
  std::unique_ptr<Network> network;
  std::unique_ptr<LocalTeam> team;
  ClientOptions join = ClientOptionsOf(options);
  join.replaces_rank = role.before.rank;
  join.replaces_incarnation = role.before.incarnation;
  join.stand_in = role.stand_in;
  Placement placement;
  if (role.team != nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(device, OpenWorkerDevice(options, role.job));
    SYNCLINE_ASSIGN_OR_RETURN(placement, PlaceFirstStage(role.job, device.get()));
    join.team = role.team->view().team;
    join.processes = static_cast<int>(role.job.pipeline().stages());
    join.holds = placement.holds;
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(join));
  const JobManifest& job = client->job();
  spdlog::info("rank {} (incarnation {}) of job {}{}", client->rank(), client->incarnation(),
               job.name(), role.stand_in ? ", standing in for a lost worker" : "");

  if (device == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(device, OpenWorkerDevice(options, job));
  }
  spdlog::info("computing on {}", device->Describe());

  Trainer::Options training;
  SYNCLINE_ASSIGN_OR_RETURN(training.data, LoadTrainingData(job));
  spdlog::info("{} samples of {} features", training.data.train->size(),
               training.data.train->features());
  Network::HostMemory lent;
  std::shared_ptr<SharedMemory> values;
  if (job.shared_memory() || listener) {
    lent = [&](size_t bytes) { return Lend(client.get(), bytes, &values); };
  }
  const int batch = static_cast<int>(job.batch_size());
  auto created = Network::Create(job.model(), device.get(), PipelineStage::MicroRows(job.pipeline(), batch),
                                 job.seed(), lent, placement.part);
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(created.status(), job));
  network = *std::move(created);
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(job.model()));
  SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(TensorSpecs(parameters)));
  // Goes before the network, as it may still be sending from it.
  std::unique_ptr<PipelineStage> stage;
  std::optional<PipelineLeader> leader;
  if (role.team != nullptr || job.pipeline().micro_batches() > 1) {
    SYNCLINE_ASSIGN_OR_RETURN(
        stage, PipelineStage::Create({network.get(), device.get(), role.team, job.pipeline(), 0, batch,
                                      StageLayersText({placement.part.layers})}));
    leader.emplace(PipelineLeader::Options{role.team, stage.get(), client.get(), placement.layers, options.stop});
    training.pipeline = &*leader;
  }
  if (client->shards_on_this_host() > 0) {
    spdlog::info("shared memory with the {} shards on this host", client->shards_on_this_host());
  }
  std::optional<HostSum> host;
  if (listener && values != nullptr) {
    LocalTeam::Options leading;
    leading.listener = *std::move(listener);
    leading.rank = client->rank();
    leading.incarnation = client->incarnation();
    leading.values = values;
    leading.parameters = network->parameters().size();
    leading.changed = [&client](int processes) { client->SetProcesses(processes); };
    team = std::make_unique<LocalTeam>(std::move(leading));
    host.emplace(HostSum::Options{team.get(), network.get(), device.get(), values, job});
    training.host = &*host;
  }
  // Before the client goes: the team calls it.
  bool over = false;
  const auto stop_team = absl::MakeCleanup([&] {
    if (team != nullptr) team->Stop(over);
  });
  training.client = client.get();
  training.network = network.get();
  training.device = device.get();
  training.stop = [&] {
    return client->expelled() || client->stopping() || (options.stop && options.stop()) ||
           (role.stop && role.stop());
  };
  training.step_delay = options.step_delay;
  training.report = [board](const WorkerProgress& progress) { board->Set(progress); };
  SYNCLINE_ASSIGN_OR_RETURN(const auto trainer, Trainer::Create(std::move(training)));
  std::optional<StandIn> stand_in;
  if (!role.stand_in && role.team == nullptr) stand_in.emplace(options, client.get());
  const absl::Status trained = trainer->Run();
  stand_in.reset();
  over = trained.ok() && (trainer->finished() || client->stopping());
  if (leader) leader->End(trained.ok() && trainer->finished());
  *given_up = client->expelled() || absl::IsFailedPrecondition(trained);
  const WorkerProgress& p = trainer->progress();
  spdlog::info("{} steps, {} samples in {:.1f} s: compute {:.1f} s, pull wait {:.1f} s, push wait "
               "{:.1f} s",
               p.clock(), p.samples(), p.total_seconds(), p.compute_seconds(),
               p.pull_wait_seconds(), p.push_wait_seconds());
  return trained;
}

// The place of this process among those of its host; leads none if the job does not want that.
absl::StatusOr<HostPlace> FindPlace(const WorkerOptions& options, JobManifest* job) {
  SYNCLINE_ASSIGN_OR_RETURN(*job, Client::AskJob(ClientOptionsOf(options)));
  if (!job->local_aggregation()) return HostPlace{true, LocalSocket()};
  return JoinHostGroup(HostGroupName(job->name(), options.coordinator, options.host_part),
                       options.stop);
}

absl::StatusOr<HelperResult> Help(const WorkerOptions& options, const JobManifest& job,
                                  const LocalSocket& leader) {
  HelperOptions help;
  help.leader = &leader;
  help.job = job;
  help.device = DeviceOptionsOf(options, job);
  help.step_delay = options.step_delay;
  help.stop = options.stop;
  return RunHelper(help);
}

// A worker of a pipeline: whatever stage its place in a team is.
absl::Status RunInTeam(const WorkerOptions& options, const JobManifest& job, ProgressBoard* board) {
  Team::Options place;
  place.coordinator = options.coordinator;
  place.security = options.security;
  place.name = options.name.empty() ? Client::DefaultName() : options.name;
  place.listen = options.listen;
  place.advertise = options.advertise;
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Team> team, Team::Start(place));
  for (int joins = 1;;) {
    const auto settled = [](const Team::View& view) { return view.has_place || view.finished; };
    const auto view = team->Await(settled, options.stop);
    if (absl::IsCancelled(view.status()) || (view.ok() && view->finished)) return absl::OkStatus();
    if (view->place > 0) {
      FollowerOptions follow{team.get(), job, ClientOptionsOf(options), DeviceOptionsOf(options, job),
                             options.step_delay, options.stop};
      SYNCLINE_ASSIGN_OR_RETURN(const FollowerEnd end, RunFollower(follow));
      if (end != FollowerEnd::kMoved) return absl::OkStatus();
      continue;
    }
    bool given_up = false;
    Role role;
    role.team = team.get();
    role.job = job;
    const absl::Time begun = SteadyNow();
    const absl::Status status = Train(options, board, std::move(role), &given_up);
    if (SteadyNow() - begun > absl::Minutes(1)) joins = 0;
    const bool stopping = options.stop && options.stop();
    if (stopping && absl::IsCancelled(status)) return absl::OkStatus();
    if (!given_up || stopping || ++joins > kMaxJoins) return status;
    spdlog::warn("the cluster gave this worker up ({}): joining again", std::string(status.message()));
  }
}

}  // namespace

absl::Status RunWorker(const WorkerOptions& options) {
  ProgressBoard board;
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<StatusPage> page, ServePage(options, &board));
  if (options.serving) {
    options.serving(page == nullptr ? "" : absl::StrCat(options.page_host, ":", page->port()));
  }
  HelperResult before;
  for (int joins = 1;;) {
    JobManifest job;
    auto place = FindPlace(options, &job);
    // The leader had no time to say that training was over.
    if (absl::IsFailedPrecondition(place.status()) && before.incarnation > 0) break;
    if (absl::IsCancelled(place.status())) break;
    SYNCLINE_RETURN_IF_ERROR(place.status());
    if (job.pipeline().stages() > 1) return RunInTeam(options, job, &board);
    if (!place->leads) {
      SYNCLINE_ASSIGN_OR_RETURN(const HelperResult help, Help(options, job, place->socket));
      if (help.end != HelperResult::kLeaderLost) break;
      if (help.incarnation > 0) before = help;
      continue;
    }
    bool given_up = false;
    Role role;
    if (job.local_aggregation()) role.listener = std::move(place->socket);
    role.before = before;
    const absl::Time begun = SteadyNow();
    const absl::Status status = Train(options, &board, std::move(role), &given_up);
    // Only what comes thick and fast is a sign that it is this worker's own fault.
    if (SteadyNow() - begun > absl::Minutes(1)) joins = 0;
    const bool stopping = options.stop && options.stop();
    ++joins;
    if (stopping && absl::IsCancelled(status)) break;  // it had not begun
    if (!given_up || stopping || joins > kMaxJoins) return status;
    spdlog::warn("the cluster gave this worker up ({}): joining again",
                 std::string(status.message()));
  }
  return absl::OkStatus();
}

}  // namespace syncline
