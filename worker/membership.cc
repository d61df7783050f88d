#include "worker/membership.h"

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "common/cluster/stage_layout.h"
#include "common/memory/shared_blocks.h"
#include "common/status/status_macros.h"
#include "common/time/steady_notification.h"
#include "spdlog/spdlog.h"
#include "worker/client/client.h"
#include "worker/data/dataset_factory.h"
#include "worker/local/host_sum.h"
#include "worker/local/local_team.h"
#include "worker/model/model_builder.h"
#include "worker/model/network.h"
#include "worker/pipeline/layer_times.h"
#include "worker/pipeline/leader.h"
#include "worker/pipeline/memory_limit.h"
#include "worker/pipeline/stage.h"
#include "worker/team/team_leader.h"
#include "worker/train/parameters.h"
#include "worker/train/trainer.h"

namespace syncline {
namespace {

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

}  // namespace

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
    join.team_life = role.team->life();
    join.processes = static_cast<int>(role.job.pipeline().stages());
    join.holds = placement.holds;
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(join));
  const JobManifest& job = client->job();
  spdlog::info("rank {} (incarnation {}) of job {}{}", client->rank(), client->incarnation(),
               job.name(), role.stand_in ? ", standing in for a lost worker" : "");

  if (device == nullptr) {
    SYNCLINE_ASSIGN_OR_RETURN(device, OpenWorkerDevice(options, job));
    placement.part = PipelineStage::Part(job.pipeline(), 0, AllLayers(job.model()));
  }
  spdlog::info("computing on {}", device->Describe());

  Trainer::Options training;
  SYNCLINE_ASSIGN_OR_RETURN(training.data, LoadTrainingData(job));
  spdlog::info("{} samples of {} features", training.data.train->size(),
               training.data.train->features());
  // What shards on this host read and write, if the job wants that, and other processes.
  SharedBlocks own(job.shared_memory() || listener);
  SharedBlocks* const memory = role.team != nullptr ? role.team->memory() : &own;
  const auto lent = [memory](size_t bytes) { return memory->Allocate(bytes); };
  if (role.team != nullptr) placement.part.outputs = lent;
  const int batch = static_cast<int>(job.batch_size());
  auto created = Network::Create(job.model(), device.get(), PipelineStage::MicroRows(job.pipeline(), batch),
                                 job.seed(), lent, placement.part);
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(created.status(), job));
  network = *std::move(created);
  const auto blocks = memory->blocks();
  for (const auto& block : blocks) {
    if (job.shared_memory()) client->Lend(block);
  }
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(job.model()));
  SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(TensorSpecs(parameters)));
  // Goes before the network, as it may still be sending from it.
  std::unique_ptr<PipelineStage> stage;
  std::optional<TeamLeader> others;
  std::optional<PipelineLeader> leader;
  if (role.team != nullptr || job.pipeline().micro_batches() > 1) {
    SYNCLINE_ASSIGN_OR_RETURN(
        stage, PipelineStage::Create({network.get(), device.get(), role.team, job.pipeline(), 0, batch,
                                      StageLayersText({placement.part.layers})}));
    if (role.team != nullptr) {
      others.emplace(TeamLeader::Options{role.team, client->rank(), client->incarnation(), options.stop});
    }
    leader.emplace(PipelineLeader::Options{others ? &*others : nullptr, role.team, stage.get(), placement.layers});
    training.team = &*leader;
  }
  if (client->shards_on_this_host() > 0) {
    spdlog::info("shared memory with the {} shards on this host", client->shards_on_this_host());
  }
  std::optional<HostSum> host;
  if (listener && !blocks.empty()) {
    const auto& values = blocks.front();
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
  if (others) others->End(trained.ok() && trainer->finished());
  *given_up = client->expelled() || absl::IsFailedPrecondition(trained);
  const WorkerProgress& p = trainer->progress();
  spdlog::info("{} steps, {} samples in {:.1f} s: compute {:.1f} s, pull wait {:.1f} s, push wait "
               "{:.1f} s",
               p.clock(), p.samples(), p.total_seconds(), p.compute_seconds(),
               p.pull_wait_seconds(), p.push_wait_seconds());
  return trained;
}

}  // namespace syncline
