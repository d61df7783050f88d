#ifndef SYNCLINE_COMMON_CONFIG_MANIFEST_H_
#define SYNCLINE_COMMON_CONFIG_MANIFEST_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/job.pb.h"

namespace syncline {

// The job manifest: YAML checked against proto/job.proto.
//
//   SYNCLINE_ASSIGN_OR_RETURN(const JobManifest job,
//                             LoadManifest("job.yaml", ManifestOverrides()));
//
// What comes back is complete and right: defaults filled in, ranges and cross-field rules checked,
// paths absolute. Errors name every mistake, one a line:
//
//   job.yaml:12:18: data.test_fraction: 1.5 is not in [0, 1)
//   job.yaml:15:1: epoch: unknown field; did you mean epochs?
//   --staleness: 2000000 is not in [0, 1000000]

// A field set elsewhere than in the file.
struct FieldOverride {
  std::string path;    // "data.test_fraction", "model.layers"
  std::string text;    // plain text for single values, YAML for lists
  std::string origin;  // who says so, for errors: "--data_test_fraction"
};

// Reads `file`, with the overrides on top. Relative paths in the file are taken from its folder,
// those in overrides from the current one; both may hold ${NAME} and ${NAME:-default}.
absl::StatusOr<JobManifest> LoadManifest(const std::string& file,
                                         const std::vector<FieldOverride>& overrides = {});

// The same for a text that is said to come from `file`.
absl::StatusOr<JobManifest> ParseManifest(absl::string_view yaml, const std::string& file,
                                          const std::vector<FieldOverride>& overrides = {});

// Fills in the defaults and checks the rules of a message that was put together in code. Errors
// begin with "manifest: ". Leaves a complete message as it is.
absl::Status CompleteManifest(JobManifest* job);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_MANIFEST_H_
