#include "worker/data/csv.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/data/data_file.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

absl::string_view WithoutQuotes(absl::string_view field) {
  const absl::string_view inner = absl::StripAsciiWhitespace(field);
  const bool quoted = inner.size() >= 2 && inner.front() == '"' && inner.back() == '"';
  return quoted ? inner.substr(1, inner.size() - 2) : field;
}

// Collects the rows of one file.
class Rows {
 public:
  Rows(const std::string& path, const CsvOptions& options)
      : path_(path), options_(options), columns_(options.features + 1) {
    const int64_t columns = static_cast<int64_t>(columns_);
    const int64_t label = options.label_column;
    label_ = label < 0 ? columns + label : label;
  }

  absl::Status CheckLabelColumn() const {
    const int64_t columns = static_cast<int64_t>(columns_);
    if (label_ >= 0 && label_ < columns) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("data.label_column: ", options_.label_column, " is not in [", -columns, ", ",
                     columns - 1, "]: rows have ", columns, " columns, model.input and the label"));
  }

  absl::Status AddRow(const LineReader& at) {
    absl::string_view rest = at.line();
    for (size_t column = 0; column < columns_; ++column) {
      const size_t end = std::min(rest.find(options_.separator), rest.size());
      const bool last = end == rest.size();
      if (last != (column + 1 == columns_)) return WrongLength(at);
      SYNCLINE_RETURN_IF_ERROR(AddField(at, rest.substr(0, end), column));
      rest.remove_prefix(last ? end : end + 1);
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Dataset> Finish() {
    return std::make_unique<DenseDataset>(std::move(values_), options_.features, std::move(labels_),
                                          options_.scale);
  }

  size_t rows() const { return labels_.size(); }

 private:
  absl::Status AddField(const LineReader& at, absl::string_view field, size_t column) {
    float value;
    const bool is_label = static_cast<int64_t>(column) == label_;
    const bool is_number = ParseFloat(WithoutQuotes(field), &value);
    if (is_number && !is_label) {
      values_.push_back(value);
      return absl::OkStatus();
    }
    if (is_number && options_.rule.Accept(&value)) {
      labels_.push_back(value);
      return absl::OkStatus();
    }
    return TextError(
        path_, at, field,
        absl::StrCat(is_label ? "the label" : "", is_label ? "" : absl::StrCat("column ", column),
                     " is ", ShownText(field), ", not ",
                     is_label ? options_.rule.Accepted() : "a finite number"));
  }

  absl::Status WrongLength(const LineReader& at) const {
    const auto separators = std::count(at.line().begin(), at.line().end(), options_.separator);
    return TextError(path_, at, at.line(),
                     absl::StrCat("the row has ", separators + 1, " columns, not ", columns_,
                                  ": model.input and the label"));
  }

  const std::string& path_;
  const CsvOptions& options_;
  const size_t columns_;
  int64_t label_;
  std::vector<float> values_;
  std::vector<float> labels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadCsv(const std::string& path,
                                                 const CsvOptions& options) {
  Rows rows(path, options);
  SYNCLINE_RETURN_IF_ERROR(rows.CheckLabelColumn());
  SYNCLINE_ASSIGN_OR_RETURN(const std::string text, ReadDataFile(path));
  LineReader lines(text);
  if (options.header) lines.Next();
  while (lines.Next()) SYNCLINE_RETURN_IF_ERROR(rows.AddRow(lines));
  if (rows.rows() == 0) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": the file holds no rows"));
  }
  return rows.Finish();
}

}  // namespace syncline
