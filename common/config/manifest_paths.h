#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_PATHS_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_PATHS_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/config/field_log.h"
#include "proto/job.pb.h"

namespace syncline {

// Makes a path of a manifest absolute. `${NAME}` stands for an environment variable and
// `${NAME:-text}` for the text where it is unset or empty, as in a shell; what is then relative is
// taken from `folder`. An empty path stays empty: it means "none".
absl::StatusOr<std::string> ResolvePath(absl::string_view path, const std::string& folder);

// Does so for every path in `job`. Problems go into the log.
void ResolveManifestPaths(const std::string& folder, JobManifest* job, FieldLog* log);

// The absolute folder of a file, which need not exist.
std::string FolderOf(const std::string& file);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_PATHS_H_
