#ifndef SYNCLINE_COMMON_OBS_LOGGING_H_
#define SYNCLINE_COMMON_OBS_LOGGING_H_

#include <string>

#include "absl/status/status.h"

namespace syncline {

// Sends spdlog's default logger to stderr: `format` text or json (one object a line with the keys
// time, level, process and message), `level` trace, debug, info, warn, error or off. `process` names
// the daemon in every line. INVALID_ARGUMENT naming --log_format or --log_level.
absl::Status ConfigureLogging(const std::string& process, const std::string& format,
                              const std::string& level);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_OBS_LOGGING_H_
