#include "common/config/tf_config.h"

#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "google/protobuf/struct.pb.h"
#include "google/protobuf/util/json_util.h"

namespace syncline {
namespace {

using google::protobuf::Struct;
using google::protobuf::Value;

absl::Status Wrong(absl::string_view field, absl::string_view must) {
  return absl::InvalidArgumentError(absl::StrCat("TF_CONFIG: ", field, " must be ", must));
}

// An empty value if there is none.
const Value& Field(const Struct& of, const std::string& name) {
  const auto found = of.fields().find(name);
  return found == of.fields().end() ? Value::default_instance() : found->second;
}

// The address of task `index` of a kind.
absl::StatusOr<std::string> AddressOf(const Struct& cluster, const std::string& kind, double index) {
  const auto& tasks = Field(cluster, kind).list_value().values();
  const int place = static_cast<int>(index);
  const std::string address =
      index >= 0 && place < tasks.size() ? tasks[place].string_value() : "";
  if (address.find(':') != std::string::npos) return address;
  return Wrong(absl::StrCat("cluster.", kind, "[", place, "]"), "there, and host:port");
}

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> FlagsOfTfConfig(absl::string_view json) {
  Struct config;
  const auto parsed = google::protobuf::util::JsonStringToMessage(std::string(json), &config);
  if (!parsed.ok()) return Wrong("all of it", absl::StrCat("JSON (", std::string(parsed.message()), ")"));
  const Struct& cluster = Field(config, "cluster").struct_value();
  const Struct& task = Field(config, "task").struct_value();
  const std::string& type = Field(task, "type").string_value();
  const double index = Field(task, "index").number_value();
  if (type.empty()) return Wrong("task.type", "chief, master, ps, worker or evaluator");
  const std::string chief = cluster.fields().count("chief") > 0 ? "chief" : "master";
  SYNCLINE_ASSIGN_OR_RETURN(const std::string coordinator, AddressOf(cluster, chief, 0));
  std::map<std::string, std::string> flags;
  if (type != chief) flags["coordinator"] = coordinator;
  if (type == "worker") flags["name"] = absl::StrCat("worker-", static_cast<int>(index));
  if (type == "ps" || type == chief) {
    SYNCLINE_ASSIGN_OR_RETURN(const std::string own, AddressOf(cluster, type, index));
    flags["listen"] = absl::StrCat("0.0.0.0", own.substr(own.rfind(':')));
    if (type == "ps") flags["advertise"] = own;
  }
  return flags;
}

}  // namespace syncline
