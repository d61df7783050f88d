#include "worker/data/csv.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/data/column_splitter.h"
#include "worker/data/data_file.h"
#include "worker/data/sample_table.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

absl::string_view WithoutQuotes(absl::string_view field) {
  const absl::string_view inner = absl::StripAsciiWhitespace(field);
  const bool quoted = inner.size() >= 2 && inner.front() == '"' && inner.back() == '"';
  return quoted ? inner.substr(1, inner.size() - 2) : field;
}

// Collects the rows of all files.
class Rows {
 public:
  explicit Rows(const CsvOptions& options)
      : options_(options),
        columns_(options.features + 1),
        splitter_({columns_, "model.input and the label", options.separator, false}),
        table_(options.features, 0, options.scale, options.scratch) {
    const int64_t label = options.label_column;
    label_ = label < 0 ? static_cast<int64_t>(columns_) + label : label;
  }

  absl::Status CheckLabelColumn() const {
    const int64_t columns = static_cast<int64_t>(columns_);
    if (label_ >= 0 && label_ < columns) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("data.label_column: ", options_.label_column, " is not in [", -columns, ", ",
                     columns - 1, "]: rows have ", columns, " columns, model.input and the label"));
  }

  absl::Status AddRow(const std::string& path, const LineReader& at) {
    SYNCLINE_RETURN_IF_ERROR(splitter_.Split(path, at));
    for (size_t column = 0; column < columns_; ++column) SYNCLINE_RETURN_IF_ERROR(AddField(path, at, column));
    return table_.status();
  }

  size_t rows() const { return table_.samples(); }
  absl::StatusOr<std::unique_ptr<Dataset>> Finish() { return table_.Finish(); }

 private:
  absl::Status AddField(const std::string& path, const LineReader& at, size_t column) {
    const absl::string_view field = splitter_.field(column);
    float value;
    const bool is_label = static_cast<int64_t>(column) == label_;
    const bool is_number = ParseFloat(WithoutQuotes(field), &value);
    if (is_number && !is_label) {
      table_.AddFeature(value);
      return absl::OkStatus();
    }
    if (is_number && options_.rule.Accept(&value)) {
      table_.AddLabel(value);
      return absl::OkStatus();
    }
    return TextError(
        path, at, field,
        absl::StrCat(is_label ? "the label" : "", is_label ? "" : absl::StrCat("column ", column),
                     " is ", ShownText(field), ", not ",
                     is_label ? options_.rule.Accepted() : "a finite number"));
  }

  const CsvOptions& options_;
  const size_t columns_;
  int64_t label_;
  ColumnSplitter splitter_;
  SampleTable table_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadCsv(const std::vector<std::string>& paths,
                                                 const CsvOptions& options) {
  Rows rows(options);
  SYNCLINE_RETURN_IF_ERROR(rows.CheckLabelColumn());
  for (const std::string& path : paths) {
    bool header = options.header;
    SYNCLINE_RETURN_IF_ERROR(ForEachLine(path, [&](const LineReader& at) {
      return std::exchange(header, false) ? absl::OkStatus() : rows.AddRow(path, at);
    }));
    if (rows.rows() == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file holds no rows"));
  }
  return rows.Finish();
}

}  // namespace syncline
