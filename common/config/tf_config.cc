#include "common/config/tf_config.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "yaml-cpp/yaml.h"

namespace syncline {
namespace {

absl::Status Wrong(absl::string_view field, absl::string_view must) {
  return absl::InvalidArgumentError(absl::StrCat("TF_CONFIG: ", field, " must be ", must));
}

// The address of task `index` of a kind.
absl::StatusOr<std::string> AddressOf(const YAML::Node& cluster, const std::string& kind, int index) {
  const YAML::Node tasks = cluster[kind];
  const bool there = tasks && tasks.IsSequence() && index >= 0 && index < static_cast<int>(tasks.size());
  const std::string address = there ? tasks[index].as<std::string>("") : "";
  if (address.find(':') != std::string::npos) return address;
  return Wrong(absl::StrCat("cluster.", kind, "[", index, "]"), "there, and host:port");
}

absl::StatusOr<std::map<std::string, std::string>> FlagsOf(const YAML::Node& config) {
  const YAML::Node cluster = config["cluster"], task = config["task"];
  if (!cluster || !cluster.IsMap()) return Wrong("cluster", "there, with the addresses of each kind of task");
  if (!task || !task.IsMap() || !task["type"]) return Wrong("task.type", "chief, master, ps, worker or evaluator");
  const auto type = task["type"].as<std::string>("");
  const int index = task["index"] ? task["index"].as<int>(-1) : -1;
  const std::string chief = cluster["chief"] ? "chief" : "master";
  SYNCLINE_ASSIGN_OR_RETURN(const std::string coordinator, AddressOf(cluster, chief, 0));
  std::map<std::string, std::string> flags;
  if (type != chief) flags["coordinator"] = coordinator;
  if (type == "worker") flags["name"] = absl::StrCat("worker-", index);
  if (type == "ps" || type == chief) {
    SYNCLINE_ASSIGN_OR_RETURN(const std::string own, AddressOf(cluster, type, index));
    flags["listen"] = absl::StrCat("0.0.0.0", own.substr(own.rfind(':')));
    if (type == "ps") flags["advertise"] = own;
  }
  return flags;
}

}  // namespace

// JSON is YAML, and its reader is here anyway. (A Struct of Protocol Buffers has a map, whose layout depends on
// ThreadSanitizer, which the system's library was not built for.)
absl::StatusOr<std::map<std::string, std::string>> FlagsOfTfConfig(absl::string_view json) {
  try {
    const YAML::Node config = YAML::Load(std::string(json));
    if (config.IsMap()) return FlagsOf(config);
    return Wrong("all of it", "a JSON object");
  } catch (const YAML::Exception& error) {
    return Wrong("all of it", absl::StrCat("JSON (", error.what(), ")"));
  }
}

}  // namespace syncline
