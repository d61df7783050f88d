#ifndef SYNCLINE_COMMON_CONFIG_FIELD_LOG_H_
#define SYNCLINE_COMMON_CONFIG_FIELD_LOG_H_

#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace syncline {

// Remembers where each field of a message was set, and collects what is wrong with them, so that a
// person sees all mistakes at once. Not thread-safe.
class FieldLog {
 public:
  // `root` stands for what was set nowhere: the file.
  explicit FieldLog(std::string root);

  // `origin` is "FILE:LINE:COLUMN" or "--flag". The last one counts.
  void SetOrigin(absl::string_view path, std::string origin);

  // Adds "ORIGIN: PATH: TEXT", with the origin of the field or else of the nearest thing around it.
  void AddProblem(absl::string_view path, absl::string_view text);
  // The same with an origin of its own.
  void AddProblemAt(absl::string_view origin, absl::string_view path, absl::string_view text);

  // OK without problems, else an invalid-argument error with one problem a line, the first
  // twenty.
  absl::Status ToStatus() const;

 private:
  std::string OriginOf(absl::string_view path) const;

  std::string root_;
  std::map<std::string, std::string> origins_;
  std::vector<std::string> problems_;
};

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_FIELD_LOG_H_
