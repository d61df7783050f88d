#include "worker/data/typed_csv.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"
#include "worker/data/data_file.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

using Kind = DataColumn::Kind;

// Takes the first field off `rest`, with what separates it from the next. `unquoted` may hold its text. False: the
// quotes do not end, or do not end the field.
bool NextField(absl::string_view* rest, char separator, std::string* unquoted, absl::string_view* field, bool* last) {
  if (rest->empty() || rest->front() != '"') {
    const size_t end = std::min(rest->find(separator), rest->size());
    *field = rest->substr(0, end);
    *last = end == rest->size();
    rest->remove_prefix(*last ? end : end + 1);
    return true;
  }
  unquoted->clear();
  size_t at = 1;
  for (;; ++at) {
    const size_t quote = rest->find('"', at);
    if (quote == absl::string_view::npos) return false;
    unquoted->append(rest->data() + at, quote - at);
    at = quote + 1;
    if (at == rest->size() || (*rest)[at] != '"') break;
    *unquoted += '"';
  }
  *field = *unquoted;
  *last = at == rest->size();
  if (!*last && (*rest)[at] != separator) return false;
  rest->remove_prefix(*last ? at : at + 1);
  return true;
}

class Rows {
 public:
  explicit Rows(const TypedCsvOptions& options) : options_(options) {
    for (const DataColumn& column : options.columns) {
      keys_of_.emplace_back(column.name);
      features_ += column.kind == Kind::kFloat ? 1 : 0;
      fields_ += column.kind == Kind::kCategory ? 1 : 0;
    }
  }

  absl::Status AddRow(const std::string& path, const LineReader& at) {
    absl::string_view rest = at.line();
    for (size_t column = 0; column < options_.columns.size(); ++column) {
      const absl::string_view place = rest;
      absl::string_view field;
      bool last;
      if (!NextField(&rest, options_.separator, &unquoted_, &field, &last)) {
        return TextError(path, at, place, absl::StrCat("the quotes of column ", column, " do not end it"));
      }
      if (last != (column + 1 == options_.columns.size())) {
        return TextError(path, at, place, absl::StrCat("the row has ", last ? "only " : "more than ", column + 1,
                                                       " columns; data.columns names ", options_.columns.size()));
      }
      SYNCLINE_RETURN_IF_ERROR(AddField(path, at, place, absl::StripAsciiWhitespace(field), column));
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Dataset> Finish() {
    return std::make_unique<KeyedDataset>(std::move(values_), features_, std::move(keys_), fields_,
                                          std::move(labels_), options_.scale);
  }
  size_t rows() const { return labels_.size(); }

 private:
  absl::Status AddField(const std::string& path, const LineReader& at, absl::string_view place,
                        absl::string_view field, size_t column) {
    const Kind kind = options_.columns[column].kind;
    if (kind == Kind::kSkip) return absl::OkStatus();
    if (kind == Kind::kCategory) {
      keys_.push_back(keys_of_[column].Key(field));
      return absl::OkStatus();
    }
    float value;
    bool good = ParseFloat(field, &value);
    if (kind == Kind::kFloat && good) {
      values_.push_back(value);
      return absl::OkStatus();
    }
    const bool compares = kind == Kind::kLabel && options_.label_above.has_value();
    if (good && compares) value = double{value} > *options_.label_above ? 1.0f : 0.0f;
    if (kind == Kind::kLabel && good && options_.rule.Accept(&value)) {
      labels_.push_back(value);
      return absl::OkStatus();
    }
    return TextError(path, at, place,
                     absl::StrCat(kind == Kind::kLabel ? "the label" : absl::StrCat("column ", column), " is ",
                                  ShownText(field), ", not ",
                                  kind == Kind::kLabel && !compares ? options_.rule.Accepted() : "a finite number"));
  }

  const TypedCsvOptions& options_;
  size_t features_ = 0;
  size_t fields_ = 0;
  std::vector<FieldKeys> keys_of_;  // by column
  std::string unquoted_;
  std::vector<float> values_;
  std::vector<uint64_t> keys_;
  std::vector<float> labels_;
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
