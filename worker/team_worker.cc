#include "worker/team_worker.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "common/cluster/team_size.h"
#include "common/status/status_macros.h"
#include "common/time/steady_now.h"
#include "spdlog/spdlog.h"
#include "worker/allreduce/member.h"
#include "worker/allreduce/work.h"
#include "worker/client/client.h"
#include "worker/membership.h"
#include "worker/model/model_builder.h"
#include "worker/pipeline/follower.h"
#include "worker/pipeline/layer_times.h"
#include "worker/pipeline/memory_limit.h"
#include "worker/rejoins.h"
#include "worker/team/follower.h"
#include "worker/team/team.h"
#include "worker/team/team_leader.h"
#include "worker/tensor/leader.h"
#include "worker/tensor/member.h"
#include "worker/train/parameters.h"
#include "worker/train/trainer.h"

namespace syncline {
namespace {

// What a process of an all-reduce has, whether it leads or follows.
struct AllReduce {
  std::unique_ptr<Device> device;
  std::unique_ptr<AllReduceMember> member;
};

absl::StatusOr<AllReduce> MakeAllReduce(Team* team, const WorkerOptions& options, const JobManifest& job) {
  AllReduce made;
  // A GPU of its own for each process of a host, where there are as many.
  const int place = static_cast<int>(team->view().place);
  SYNCLINE_ASSIGN_OR_RETURN(made.device, OpenWorkerDevice(options, job, place));
  spdlog::info("computing on {}", made.device->Describe());
  auto member = AllReduceMember::Create({team, job, ClientOptionsOf(options), made.device.get()});
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(member.status(), job));
  made.member = *std::move(member);
  return made;
}

// What the process that leads has, and how a step is made with it.
struct Leading {
  const Device* device = nullptr;
  Network* network = nullptr;
  TrainingData data;
  int processes = 1;  // of the team
  std::function<std::unique_ptr<TeamWork>(TeamLeader*, Client*)> make_work;
};

// One membership of the team, from join to leave, as the process that leads it. The member's processes move tensors by
// themselves.
absl::Status LeadTogether(Team* team, const Leading& leading, const WorkerOptions& options, const JobManifest& job,
                          ProgressBoard* board, bool* given_up) {
  const Team::View view = team->view();
  *given_up = !view.leads();
  if (*given_up) return absl::FailedPreconditionError("another process leads by now");
  ClientOptions join = ClientOptionsOf(options);
  join.team = view.team;
  join.team_life = team->life();
  join.processes = leading.processes;
  join.holds = [](const std::string&) { return false; };  // tensors go another way
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Connect(join));
  spdlog::info("leading rank {} (incarnation {}) of job {}", client->rank(), client->incarnation(), job.name());
  SYNCLINE_ASSIGN_OR_RETURN(const auto parameters, ModelParameters(job.model()));
  SYNCLINE_RETURN_IF_ERROR(client->CreateTensors(TensorSpecs(parameters)));
  TeamLeader others({team, client->rank(), client->incarnation(), options.stop});
  const std::unique_ptr<TeamWork> work = leading.make_work(&others, client.get());
  Trainer::Options training;
  training.client = client.get();
  training.network = leading.network;
  training.device = leading.device;
  training.data = leading.data;
  training.team = work.get();
  training.stop = [&] {
    return client->expelled() || client->stopping() || (options.stop && options.stop());
  };
  training.step_delay = options.step_delay;
  training.report = [board](const WorkerProgress& progress) { board->Set(progress); };
  SYNCLINE_ASSIGN_OR_RETURN(const auto trainer, Trainer::Create(std::move(training)));
  const absl::Status trained = trainer->Run();
  others.End(trained.ok() && trainer->finished());
  *given_up = client->expelled() || absl::IsFailedPrecondition(trained);
  return trained;
}

absl::Status LeadAllReduce(Team* team, const WorkerOptions& options, const JobManifest& job,
                           ProgressBoard* board, bool* given_up) {
  SYNCLINE_ASSIGN_OR_RETURN(const AllReduce own, MakeAllReduce(team, options, job));
  const auto complete = [](const Team::View& view) { return view.complete || !view.leads(); };
  SYNCLINE_RETURN_IF_ERROR(team->Await(complete, options.stop).status());
  Leading leading{own.device.get(), own.member->network(), own.member->data(), static_cast<int>(job.workers()),
                  [&own](TeamLeader* others, Client* client) {
                    return MakeAllReduceLeader(others, own.member.get(), client);
                  }};
  return LeadTogether(team, leading, options, job, board, given_up);
}

// A process of those that share the layers of a stage.
struct Tensor {
  std::unique_ptr<Device> device;
  std::unique_ptr<TensorMember> member;
};

absl::StatusOr<Tensor> MakeTensor(Team* team, const WorkerOptions& options, const JobManifest& job) {
  Tensor made;
  SYNCLINE_ASSIGN_OR_RETURN(made.device, OpenWorkerDevice(options, job));
  spdlog::info("computing on {}", made.device->Describe());
  made.member = std::make_unique<TensorMember>(TensorMember::Options{
      team, job, ClientOptionsOf(options), made.device.get(), options.step_delay});
  return made;
}

absl::Status LeadTensor(Team* team, const WorkerOptions& options, const JobManifest& job, ProgressBoard* board,
                        bool* given_up) {
  SYNCLINE_ASSIGN_OR_RETURN(const Tensor own, MakeTensor(team, options, job));
  auto layers = PlaceLayers(job, own.device.get());
  SYNCLINE_RETURN_IF_ERROR(ExplainMemory(layers.status(), job));
  spdlog::info("layers by stage: {}", *layers);
  SYNCLINE_RETURN_IF_ERROR(own.member->Build(*layers));
  Leading leading{own.device.get(), own.member->network(), own.member->data(),
                  static_cast<int>(ProcessesAReplica(job)), [&](TeamLeader* others, Client* client) {
                    return MakeTensorLeader(others, own.member.get(), client, *layers);
                  }};
  return LeadTogether(team, leading, options, job, board, given_up);
}

absl::Status Lead(Team* team, const WorkerOptions& options, const JobManifest& job, ProgressBoard* board,
                  bool* given_up) {
  if (AllReduces(job)) return LeadAllReduce(team, options, job, board, given_up);
  if (PartsAStage(job) > 1) return LeadTensor(team, options, job, board, given_up);
  Role role;
  role.team = team;
  role.job = job;
  return Train(options, board, std::move(role), given_up);
}

absl::StatusOr<FollowerEnd> FollowIn(Team* team, const WorkerOptions& options, const JobManifest& job) {
  if (PartsAStage(job) > 1) {
    SYNCLINE_ASSIGN_OR_RETURN(const Tensor own, MakeTensor(team, options, job));
    return Follow(team, own.member.get(), options.stop);
  }
  if (!AllReduces(job)) {
    const std::unique_ptr<TeamPart> part = MakePipelineFollower(
        {team, job, ClientOptionsOf(options), DeviceOptionsOf(options, job), options.step_delay});
    return Follow(team, part.get(), options.stop);
  }
  SYNCLINE_ASSIGN_OR_RETURN(const AllReduce own, MakeAllReduce(team, options, job));
  const std::unique_ptr<TeamPart> part = MakeAllReduceFollower(own.member.get(), options.step_delay);
  return Follow(team, part.get(), options.stop);
}

}  // namespace

absl::Status RunInTeam(const WorkerOptions& options, const JobManifest& job, ProgressBoard* board) {
  Team::Options place;
  place.coordinator = options.coordinator;
  place.security = options.security;
  place.name = options.name.empty() ? Client::DefaultName() : options.name;
  place.listen = options.listen;
  place.advertise = options.advertise;
  place.shared_memory = job.shared_memory();
  place.host = options.host;
  SYNCLINE_ASSIGN_OR_RETURN(const std::unique_ptr<Team> team, Team::Start(place));
  Rejoins rejoins;
  while (true) {
    const auto settled = [](const Team::View& view) { return view.has_place || view.finished; };
    const auto view = team->Await(settled, options.stop);
    if (absl::IsCancelled(view.status()) || (view.ok() && view->finished)) return absl::OkStatus();
    if (!view->leads()) {
      SYNCLINE_ASSIGN_OR_RETURN(const FollowerEnd end, FollowIn(team.get(), options, job));
      if (end != FollowerEnd::kMoved) return absl::OkStatus();
      continue;
    }
    bool given_up = false;
    const absl::Time begun = SteadyNow();
    const absl::Status status = Lead(team.get(), options, job, board, &given_up);
    if (absl::IsAborted(status)) {  // until the next view of the team
      absl::SleepFor(absl::Milliseconds(20));
      continue;
    }
    const bool stopping = options.stop && options.stop();
    if (stopping && absl::IsCancelled(status)) return absl::OkStatus();
    if (!given_up || stopping || !rejoins.Again(SteadyNow() - begun)) return status;
    spdlog::warn("the cluster gave this worker up ({}): joining again", std::string(status.message()));
  }
}

}  // namespace syncline
