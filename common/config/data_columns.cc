#include "common/config/data_columns.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/status/status_macros.h"

namespace syncline {
namespace {

using Kind = DataColumn::Kind;

absl::StatusOr<Kind> ParseKind(absl::string_view text) {
  if (text == "label") return Kind::kLabel;
  if (text == "float") return Kind::kFloat;
  if (text == "category") return Kind::kCategory;
  if (text == "skip") return Kind::kSkip;
  return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(text),
                                                 "\" is not label, float, category, skip or NAME=category"));
}

absl::StatusOr<DataColumn> ParseColumn(absl::string_view text, size_t number) {
  text = absl::StripAsciiWhitespace(text);
  const size_t equals = text.rfind('=');
  DataColumn column;
  if (equals == absl::string_view::npos) {
    SYNCLINE_ASSIGN_OR_RETURN(column.kind, ParseKind(text));
    column.name = absl::StrCat(number);
    return column;
  }
  SYNCLINE_ASSIGN_OR_RETURN(column.kind, ParseKind(absl::StripAsciiWhitespace(text.substr(equals + 1))));
  column.name = std::string(absl::StripAsciiWhitespace(text.substr(0, equals)));
  if (column.name.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("\"", absl::CHexEscape(text), "\" has no name before the ="));
  }
  return column;
}

uint32_t Count(const std::vector<DataColumn>& columns, Kind kind) {
  return static_cast<uint32_t>(std::count_if(columns.begin(), columns.end(),
                                             [&](const DataColumn& column) { return column.kind == kind; }));
}

bool ParseRun(absl::string_view text, uint32_t* first, uint32_t* last) {
  const std::vector<absl::string_view> ends = absl::StrSplit(text, absl::MaxSplits('-', 1));
  return absl::SimpleAtoi(ends.front(), first) && absl::SimpleAtoi(ends.back(), last) && *first <= *last;
}

}  // namespace

absl::StatusOr<std::vector<DataColumn>> ParseColumns(absl::string_view text) {
  std::vector<DataColumn> columns;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    SYNCLINE_ASSIGN_OR_RETURN(DataColumn column, ParseColumn(part, columns.size()));
    columns.push_back(std::move(column));
  }
  const uint32_t labels = Count(columns, Kind::kLabel);
  if (labels == 1) return columns;
  return absl::InvalidArgumentError(absl::StrCat("names ", labels, " label columns; accepted: 1"));
}

DataShape ShapeOfData(const Data& data) {
  if (data.format() == CRITEO) return {true, kCriteoFloats, kCriteoCategories};
  if (data.format() == LIBSVM && data.entry_keys() > 0) return {true, 0, data.entry_keys()};
  if (data.format() != CSV || data.columns().empty()) return {};
  const auto columns = ParseColumns(data.columns());
  if (!columns.ok()) return {};
  return {true, Count(*columns, Kind::kFloat), Count(*columns, Kind::kCategory)};
}

absl::StatusOr<std::vector<uint32_t>> ParseFields(absl::string_view text, uint32_t count) {
  std::vector<uint32_t> fields;
  std::vector<bool> seen;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    uint32_t first, last;
    if (!ParseRun(absl::StripAsciiWhitespace(part), &first, &last)) {
      return absl::InvalidArgumentError(
          absl::StrCat("\"", absl::CHexEscape(text), "\" is not all, nor a list of fields as in \"0-3, 7\""));
    }
    if (last >= count) {
      return absl::InvalidArgumentError(absl::StrCat("there is no field ", last, ": the data has ", count,
                                                     " categorical fields, counted from 0"));
    }
    for (uint32_t field = first; field <= last; ++field) {
      if (seen.size() <= field) seen.resize(field + 1);
      if (seen[field]) return absl::InvalidArgumentError(absl::StrCat("names field ", field, " twice"));
      seen[field] = true;
      fields.push_back(field);
    }
  }
  return fields;
}

}  // namespace syncline
