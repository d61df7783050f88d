#ifndef SYNCLINE_COMMON_CONFIG_FLAGS_H_
#define SYNCLINE_COMMON_CONFIG_FLAGS_H_

#include <vector>

#include "common/config/manifest.h"

namespace syncline {

// A program that links this library has a flag for every field of the job manifest:
// --optimizer_learning_rate sets optimizer.learning_rate, --model_layers takes a YAML list.
//
// Returns those that were given, on the command line, in a flag file or by the environment. Their
// values are checked by LoadManifest(), which knows the fields. Not thread-safe.
std::vector<FieldOverride> ManifestOverrides();

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_FLAGS_H_
