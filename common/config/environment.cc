#include "common/config/environment.h"

#include <cstdlib>
#include <string>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/config/tf_config.h"
#include "common/status/status_macros.h"

namespace syncline {

namespace {

absl::Status SetFlagsFromTfConfig(const char* config) {
  SYNCLINE_ASSIGN_OR_RETURN(const auto values, FlagsOfTfConfig(config));
  for (const auto& [name, value] : values) {
    absl::CommandLineFlag* const flag = absl::FindCommandLineFlag(name);
    std::string error;
    if (flag == nullptr || flag->ParseFrom(value, &error)) continue;  // of another program of ours
    return absl::InvalidArgumentError(absl::StrCat("TF_CONFIG: --", name, "=", value, ": ", error));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SetFlagsFromEnvironment() {
  if (const char* const config = std::getenv("TF_CONFIG"); config != nullptr && *config != '\0') {
    SYNCLINE_RETURN_IF_ERROR(SetFlagsFromTfConfig(config));
  }
  for (const auto& [name, flag] : absl::GetAllFlags()) {
    const std::string variable = absl::StrCat("SYNCLINE_", absl::AsciiStrToUpper(name));
    const char* value = std::getenv(variable.c_str());
    if (value == nullptr) continue;
    std::string error;
    if (!flag->ParseFrom(value, &error)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the environment variable ", variable, ": ", error));
    }
  }
  return absl::OkStatus();
}

}  // namespace syncline
