#include "common/config/field_log.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/config/field_paths.h"

namespace syncline {

FieldLog::FieldLog(std::string root) : root_(std::move(root)) {}

void FieldLog::SetOrigin(absl::string_view path, std::string origin) {
  origins_[std::string(path)] = std::move(origin);
}

void FieldLog::AddProblem(absl::string_view path, absl::string_view text) {
  AddProblemAt(OriginOf(path), path, text);
}

void FieldLog::AddProblemAt(absl::string_view origin, absl::string_view path,
                            absl::string_view text) {
  // A flag says which field it is.
  const bool named = path.empty() || origin == "--" + FlagNameOfField(path);
  problems_.push_back(named ? absl::StrCat(origin, ": ", text)
                            : absl::StrCat(origin, ": ", path, ": ", text));
}

absl::Status FieldLog::ToStatus() const {
  constexpr size_t kShown = 20;
  if (problems_.empty()) return absl::OkStatus();
  if (problems_.size() <= kShown) {
    return absl::InvalidArgumentError(absl::StrJoin(problems_, "\n"));
  }
  const std::vector<std::string> first(problems_.begin(), problems_.begin() + kShown);
  return absl::InvalidArgumentError(
      absl::StrCat(absl::StrJoin(first, "\n"), "\n... and ", problems_.size() - kShown, " more"));
}

std::string FieldLog::OriginOf(absl::string_view path) const {
  while (!path.empty()) {
    const auto found = origins_.find(std::string(path));
    if (found != origins_.end()) return found->second;
    const size_t end = path.find_last_of(".[");
    path = path.substr(0, end == absl::string_view::npos ? 0 : end);
  }
  return root_;
}

}  // namespace syncline
