#include "common/config/manifest.h"

#include <cerrno>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/config/field_log.h"
#include "common/config/field_paths.h"
#include "common/config/manifest_defaults.h"
#include "common/config/manifest_fields.h"
#include "common/config/manifest_paths.h"
#include "common/config/manifest_rules.h"
#include "common/config/message_reader.h"
#include "common/config/scalar_field.h"
#include "common/config/yaml_tree.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

absl::Status SetOverride(const FieldOverride& override, FieldLog* log, JobManifest* job) {
  const FoundField found = FindField(override.path, job);
  if (found.field == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("there is no field ", override.path));
  }
  if (found.field->is_repeated()) {
    SYNCLINE_ASSIGN_OR_RETURN(const YamlNode node, ParseYaml(override.text, "value"));
    found.parent->GetReflection()->ClearField(found.parent, found.field);
    MessageReader(override.origin, log).ReadField(node, override.path, *found.field, found.parent);
    return absl::OkStatus();
  }
  log->SetOrigin(override.path, override.origin);
  const ManifestField* row = FindManifestField(override.path);
  std::string text = override.text;
  if (row != nullptr && row->is_path) {
    SYNCLINE_ASSIGN_OR_RETURN(text, ResolvePath(text, FolderOf("any")));
  }
  return SetScalar(*found.field, text, /*quoted=*/false, found.parent);
}

// The checks that need a message which could be read.
absl::Status Complete(JobManifest* job, FieldLog* log) {
  SYNCLINE_RETURN_IF_ERROR(log->ToStatus());
  FillManifestDefaults(job);
  CheckManifestRules(*job, log);
  return log->ToStatus();
}

}  // namespace

absl::StatusOr<JobManifest> ParseManifest(absl::string_view yaml, const std::string& file,
                                          const std::vector<FieldOverride>& overrides) {
  SYNCLINE_ASSIGN_OR_RETURN(const YamlNode root, ParseYaml(yaml, file));
  JobManifest job;
  FieldLog log(FormatPosition(file, root.position));
  MessageReader(file, &log).ReadMessage(root, "", &job);
  ResolveManifestPaths(FolderOf(file), &job, &log);
  for (const FieldOverride& override : overrides) {
    const absl::Status status = SetOverride(override, &log, &job);
    if (!status.ok()) log.AddProblemAt(override.origin, override.path, status.message());
  }
  SYNCLINE_RETURN_IF_ERROR(Complete(&job, &log));
  return job;
}

absl::StatusOr<JobManifest> LoadManifest(const std::string& file,
                                         const std::vector<FieldOverride>& overrides) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) {
    return absl::ErrnoToStatus(errno, absl::StrCat("can't read the manifest ", file));
  }
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  return ParseManifest(text, file, overrides);
}

absl::Status CompleteManifest(JobManifest* job) {
  FieldLog log("manifest");
  return Complete(job, &log);
}

}  // namespace syncline
