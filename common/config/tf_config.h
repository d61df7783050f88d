#ifndef SYNCLINE_COMMON_CONFIG_TF_CONFIG_H_
#define SYNCLINE_COMMON_CONFIG_TF_CONFIG_H_

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace syncline {

// The flags of a daemon, by name, that TensorFlow's description of a cluster stands for, as Kubeflow's TFJob gives it
// to each pod in the environment variable TF_CONFIG:
//
//   {"cluster": {"chief": ["a:2222"], "ps": ["b:2222", "c:2222"], "worker": ["d:2222"]},
//    "task": {"type": "ps", "index": 1}}
//
// The chief (or master) is the coordinator. A ps gets --coordinator, --listen and --advertise, a worker --coordinator
// and --name, the chief --listen; other tasks (evaluator) --coordinator. INVALID_ARGUMENT names the field that is wrong.
absl::StatusOr<std::map<std::string, std::string>> FlagsOfTfConfig(absl::string_view json);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_TF_CONFIG_H_
