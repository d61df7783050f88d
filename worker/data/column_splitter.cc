#include "worker/data/column_splitter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

namespace syncline {

ColumnSplitter::ColumnSplitter(Options options)
    : options_(std::move(options)),
      fields_(options_.columns + 1),
      places_(options_.columns + 1),
      unquoted_(options_.columns + 1) {}

absl::Status ColumnSplitter::Split(const std::string& path, const LineReader& at) {
  absl::string_view rest = at.line();
  size_t count = 0;
  for (bool last = false; !last; ++count) {
    const absl::string_view place = rest;
    const size_t column = std::min(count, options_.columns);
    if (!Next(&rest, column, &last)) {
      return TextError(path, at, place, absl::StrCat("the quotes of column ", count, " do not end it"));
    }
    places_[column] = place;
  }
  if (count == options_.columns) return absl::OkStatus();
  return TextError(path, at, at.line(), absl::StrCat("the row has ", count, " columns, not ", options_.columns, ": ",
                                                     options_.what));
}

bool ColumnSplitter::Next(absl::string_view* rest, size_t column, bool* last) {
  size_t end;
  if (!options_.quotes || rest->empty() || rest->front() != '"') {
    end = std::min(rest->find(options_.separator), rest->size());
    fields_[column] = rest->substr(0, end);
  } else {
    std::string& unquoted = unquoted_[column];
    unquoted.clear();
    for (size_t at = 1;; ++at) {
      end = rest->find('"', at);
      if (end == absl::string_view::npos) return false;
      unquoted.append(rest->data() + at, end - at);
      at = ++end;
      if (end == rest->size() || (*rest)[end] != '"') break;
      unquoted += '"';
    }
    fields_[column] = unquoted;
  }
  *last = end == rest->size();
  if (!*last && (*rest)[end] != options_.separator) return false;
  rest->remove_prefix(*last ? end : end + 1);
  return true;
}

}  // namespace syncline
