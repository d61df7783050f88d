#ifndef SYNCLINE_COMMON_CONFIG_ENVIRONMENT_H_
#define SYNCLINE_COMMON_CONFIG_ENVIRONMENT_H_

#include "absl/status/status.h"

namespace syncline {

// Sets every flag of this program that an environment variable names: SYNCLINE_LOG_LEVEL is
// --log_level. Before those it takes what TF_CONFIG says of this process (tf_config.h). For main(), before absl::ParseCommandLine(), whose values then win:
//
//   const absl::Status environment = SetFlagsFromEnvironment();
//   absl::ParseCommandLine(argc, argv);
//
// A value that its flag refuses is an invalid-argument error that names the variable. Not
// thread-safe.
absl::Status SetFlagsFromEnvironment();

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_ENVIRONMENT_H_
