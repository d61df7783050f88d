#include "worker/data/criteo.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/config/data_columns.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"
#include "worker/data/column_splitter.h"
#include "worker/data/data_file.h"
#include "worker/data/sample_table.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

constexpr size_t kColumns = 1 + kCriteoFloats + kCriteoCategories;

class Log {
 public:
  Log(FeatureScale scale, const LabelRule& rule, const std::string& scratch)
      : rule_(rule),
        splitter_({kColumns, "the label, 13 numbers and 26 categories, between tabs", '\t', false}),
        table_(kCriteoFloats, kCriteoCategories, scale, scratch) {
    for (uint32_t i = 1; i <= kCriteoCategories; ++i) fields_.emplace_back(absl::StrCat("C", i));
  }

  absl::Status AddLine(const std::string& path, const LineReader& at) {
    SYNCLINE_RETURN_IF_ERROR(splitter_.Split(path, at));
    for (size_t column = 0; column < kColumns; ++column) SYNCLINE_RETURN_IF_ERROR(AddValue(path, at, column));
    return table_.status();
  }

  size_t size() const { return table_.samples(); }
  absl::StatusOr<std::unique_ptr<Dataset>> Finish() { return table_.Finish(); }

 private:
  absl::Status AddValue(const std::string& path, const LineReader& at, size_t column) {
    const absl::string_view text = splitter_.field(column);
    if (column > kCriteoFloats) {
      table_.AddKey(fields_[column - 1 - kCriteoFloats].Key(text));
      return absl::OkStatus();
    }
    if (column == 0) {
      float label;
      if (!ParseFloat(text, &label) || !rule_.Accept(&label)) {
        return TextError(path, at, text, absl::StrCat("the label is ", ShownText(text), ", not ", rule_.Accepted()));
      }
      table_.AddLabel(label);
      return absl::OkStatus();
    }
    int64_t number = 0;
    if (!text.empty() && !absl::SimpleAtoi(text, &number)) {
      return TextError(path, at, text,
                       absl::StrCat("number ", column, " is ", ShownText(text), ", not a whole number or nothing"));
    }
    table_.AddFeature(static_cast<float>(std::log1p(static_cast<double>(std::max<int64_t>(number, 0)))));
    return absl::OkStatus();
  }

  const LabelRule& rule_;
  std::vector<FieldKeys> fields_;
  ColumnSplitter splitter_;
  SampleTable table_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadCriteo(const std::vector<std::string>& paths, FeatureScale scale,
                                                    const LabelRule& rule, const std::string& scratch) {
  Log log(scale, rule, scratch);
  for (const std::string& path : paths) {
    SYNCLINE_RETURN_IF_ERROR(ForEachLine(path, [&](const LineReader& at) { return log.AddLine(path, at); }));
    if (log.size() == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file holds no samples"));
  }
  return log.Finish();
}

}  // namespace syncline
