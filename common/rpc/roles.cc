#include "common/rpc/roles.h"

#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

namespace syncline {
namespace {

struct Rule {
  absl::string_view method;  // one that ends in '/' is for a whole service
  Roles callers;
};

constexpr Rule kRules[] = {
    {"/syncline.Coordinator/RegisterShard", kShardRole},
    {"/syncline.Coordinator/JoinWorker", kWorkerRole},
    {"/syncline.Coordinator/CreateTensors", kWorkerRole},
    {"/syncline.Coordinator/Lease", kWorkerRole},
    {"/syncline.Coordinator/Heartbeat", kShardRole | kWorkerRole},  // each its own (CoordinatorService)
    {"/syncline.Coordinator/JoinTeam", kWorkerRole},
    {"/syncline.Coordinator/LeaveWorker", kWorkerRole},
    {"/syncline.Coordinator/ClusterStatus", kOperatorRole},
    {"/syncline.Coordinator/Checkpoint", kOperatorRole},
    {"/syncline.Coordinator/Drain", kOperatorRole | kShardRole},  // a shard one shard (CoordinatorService)
    {"/syncline.Coordinator/Scale", kOperatorRole},

    {"/syncline.ParameterServer/Push", kWorkerRole},
    {"/syncline.ParameterServer/Pull", kWorkerRole | kReaderRole},
    {"/syncline.ParameterServer/Commit", kWorkerRole},
    {"/syncline.ParameterServer/PushPull", kWorkerRole},
    {"/syncline.ParameterServer/AttachMemory", kWorkerRole | kShardRole},  // each as itself (ParameterService)
    {"/syncline.ParameterServer/KeepWorkerState", kWorkerRole},
    {"/syncline.ParameterServer/FetchWorkerState", kWorkerRole},
    {"/syncline.ParameterServer/GetMap", kWorkerRole | kReaderRole},
    {"/syncline.ParameterServer/HandOver", kShardRole},
    {"/syncline.ParameterServer/Configure", kCoordinatorRole},
    {"/syncline.ParameterServer/UpdateMember", kCoordinatorRole},
    {"/syncline.ParameterServer/ChangeMap", kCoordinatorRole},
    {"/syncline.ParameterServer/StopAt", kCoordinatorRole},
    {"/syncline.ParameterServer/WriteCheckpoint", kCoordinatorRole},
    {"/syncline.ParameterServer/EndJob", kCoordinatorRole},
    {"/syncline.ParameterServer/StepNorms", kShardRole},
    {"/syncline.ParameterServer/ShardStatus", kCoordinatorRole | kOperatorRole},

    {"/syncline.TeamMessages/Deliver", kWorkerRole},
    {"/syncline.TeamMessages/AttachMemory", kWorkerRole},

    {"/grpc.health.v1.Health/", kAnybody},
    {"/grpc.reflection.v1.ServerReflection/", kEveryRole},
    {"/grpc.reflection.v1alpha.ServerReflection/", kEveryRole},
};

struct Name {
  absl::string_view name;
  Roles role;
};

constexpr Name kNames[] = {{"coordinator", kCoordinatorRole}, {"shard", kShardRole},   {"worker", kWorkerRole},
                           {"operator", kOperatorRole},       {"reader", kReaderRole}};

}  // namespace

std::optional<Roles> RolesFor(absl::string_view method) {
  const absl::string_view service = method.substr(0, method.rfind('/') + 1);
  for (const Rule& rule : kRules) {
    if (rule.method == method || rule.method == service) return rule.callers;
  }
  return std::nullopt;
}

Roles RolesIn(const std::vector<absl::string_view>& uris) {
  Roles roles = 0;
  for (absl::string_view uri : uris) {
    if (!absl::ConsumePrefix(&uri, "syncline://role/")) continue;
    for (const Name& name : kNames) {
      if (uri == name.name) roles |= name.role;
    }
  }
  return roles;
}

std::string NamesOf(Roles roles) {
  std::vector<absl::string_view> names;
  for (const Name& name : kNames) {
    if (roles & name.role) names.push_back(name.name);
  }
  return absl::StrJoin(names, " or ");
}

}  // namespace syncline
