#include "common/config/manifest_paths.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config/field_paths.h"
#include "common/config/manifest_fields.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

// The value of what stands between ${ and }.
absl::StatusOr<std::string> Variable(absl::string_view reference) {
  const size_t colon = reference.find(":-");
  const std::string name(reference.substr(0, colon));
  const char* value = std::getenv(name.c_str());
  if (value != nullptr && *value != '\0') return value;
  if (colon != absl::string_view::npos) return std::string(reference.substr(colon + 2));
  return absl::InvalidArgumentError(absl::StrCat("the environment variable ", name,
                                                 " is not set; set it or write ${", name,
                                                 ":-folder} to give it a default"));
}

absl::StatusOr<std::string> ExpandVariables(absl::string_view text) {
  std::string expanded;
  while (true) {
    const size_t start = text.find("${");
    absl::StrAppend(&expanded, text.substr(0, start));
    if (start == absl::string_view::npos) return expanded;
    const size_t end = text.find('}', start);
    if (end == absl::string_view::npos) {
      return absl::InvalidArgumentError(absl::StrCat(text.substr(start), " has no closing }"));
    }
    SYNCLINE_ASSIGN_OR_RETURN(const std::string value,
                              Variable(text.substr(start + 2, end - start - 2)));
    expanded += value;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

absl::StatusOr<std::string> ResolvePath(absl::string_view path, const std::string& folder) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::string expanded, ExpandVariables(path));
  if (expanded.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("a path holds no NUL byte");
  }
  // The manifest that daemons are given holds the path as it is now, and is read like any other.
  if (expanded.find("${") != std::string::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat(expanded, " still holds ${ once variables are replaced: they cannot stand in one another"));
  }
  if (expanded.empty()) return expanded;
  return (std::filesystem::path(folder) / expanded).string();
}

void ResolveManifestPaths(const std::string& folder, JobManifest* job, FieldLog* log) {
  for (const ManifestField& row : ManifestFields()) {
    if (!row.is_path) continue;
    const FoundField found = FindField(row.path, job);
    const google::protobuf::Reflection& reflection = *found.parent->GetReflection();
    if (!reflection.HasField(*found.parent, found.field)) continue;
    const absl::StatusOr<std::string> path =
        ResolvePath(reflection.GetString(*found.parent, found.field), folder);
    if (path.ok()) {
      reflection.SetString(found.parent, found.field, *path);
    } else {
      log->AddProblem(row.path, path.status().message());
    }
  }
}

std::string FolderOf(const std::string& file) {
  std::error_code error;  // no current folder: the path stays relative
  const std::filesystem::path absolute = std::filesystem::absolute(file, error);
  return error ? std::filesystem::path(file).parent_path().string()
               : absolute.parent_path().string();
}

}  // namespace syncline
