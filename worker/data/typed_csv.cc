#include "worker/data/typed_csv.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"
#include "worker/data/column_splitter.h"
#include "worker/data/data_file.h"
#include "worker/data/sample_table.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

using Kind = DataColumn::Kind;

size_t Count(const TypedCsvOptions& options, Kind kind) {
  return static_cast<size_t>(std::count_if(options.columns.begin(), options.columns.end(),
                                           [&](const DataColumn& column) { return column.kind == kind; }));
}

class Rows {
 public:
  explicit Rows(const TypedCsvOptions& options)
      : options_(options),
        splitter_({options.columns.size(), "what data.columns names", options.separator, true}),
        table_(Count(options, Kind::kFloat), Count(options, Kind::kCategory), options.scale, options.scratch) {
    for (const DataColumn& column : options.columns) keys_of_.emplace_back(column.name);
  }

  absl::Status AddRow(const std::string& path, const LineReader& at) {
    SYNCLINE_RETURN_IF_ERROR(splitter_.Split(path, at));
    for (size_t column = 0; column < options_.columns.size(); ++column) {
      SYNCLINE_RETURN_IF_ERROR(AddField(path, at, column));
    }
    return table_.status();
  }

  size_t rows() const { return table_.samples(); }
  absl::StatusOr<std::unique_ptr<Dataset>> Finish() { return table_.Finish(); }

 private:
  absl::Status AddField(const std::string& path, const LineReader& at, size_t column) {
    const absl::string_view field = absl::StripAsciiWhitespace(splitter_.field(column));
    const Kind kind = options_.columns[column].kind;
    if (kind == Kind::kSkip) return absl::OkStatus();
    if (kind == Kind::kCategory) {
      table_.AddKey(keys_of_[column].Key(field));
      return absl::OkStatus();
    }
    float value;
    bool good = ParseFloat(field, &value);
    if (kind == Kind::kFloat && good) {
      table_.AddFeature(value);
      return absl::OkStatus();
    }
    const bool compares = kind == Kind::kLabel && options_.label_above.has_value();
    if (good && compares) value = double{value} > *options_.label_above ? 1.0f : 0.0f;
    if (kind == Kind::kLabel && good && options_.rule.Accept(&value)) {
      table_.AddLabel(value);
      return absl::OkStatus();
    }
    return TextError(path, at, splitter_.place(column),
                     absl::StrCat(kind == Kind::kLabel ? "the label" : absl::StrCat("column ", column), " is ",
                                  ShownText(field), ", not ",
                                  kind == Kind::kLabel && !compares ? options_.rule.Accepted() : "a finite number"));
  }

  const TypedCsvOptions& options_;
  std::vector<FieldKeys> keys_of_;  // by column
  ColumnSplitter splitter_;
  SampleTable table_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadTypedCsv(const std::vector<std::string>& paths,
                                                      const TypedCsvOptions& options) {
  Rows rows(options);
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
