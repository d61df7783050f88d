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
#include "worker/data/data_file.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

constexpr size_t kColumns = 1 + kCriteoFloats + kCriteoCategories;

class Log {
 public:
  explicit Log(const LabelRule& rule) : rule_(rule) {
    for (uint32_t i = 1; i <= kCriteoCategories; ++i) fields_.emplace_back(absl::StrCat("C", i));
  }

  absl::Status AddLine(const std::string& path, const LineReader& at) {
    absl::string_view rest = at.line();
    for (size_t column = 0; column < kColumns; ++column) {
      const size_t end = std::min(rest.find('\t'), rest.size());
      const bool last = end == rest.size();
      if (last != (column + 1 == kColumns)) return WrongLength(path, at);
      SYNCLINE_RETURN_IF_ERROR(AddValue(path, at, rest.substr(0, end), column));
      rest.remove_prefix(last ? end : end + 1);
    }
    return absl::OkStatus();
  }

  std::unique_ptr<Dataset> Finish(FeatureScale scale) {
    return std::make_unique<KeyedDataset>(std::move(values_), kCriteoFloats, std::move(keys_), kCriteoCategories,
                                          std::move(labels_), scale);
  }
  size_t size() const { return labels_.size(); }

 private:
  absl::Status AddValue(const std::string& path, const LineReader& at, absl::string_view text, size_t column) {
    if (column > kCriteoFloats) {
      keys_.push_back(fields_[column - 1 - kCriteoFloats].Key(text));
      return absl::OkStatus();
    }
    if (column == 0) {
      float label;
      if (!ParseFloat(text, &label) || !rule_.Accept(&label)) {
        return TextError(path, at, text, absl::StrCat("the label is ", ShownText(text), ", not ", rule_.Accepted()));
      }
      labels_.push_back(label);
      return absl::OkStatus();
    }
    int64_t number = 0;
    if (!text.empty() && !absl::SimpleAtoi(text, &number)) {
      return TextError(path, at, text,
                       absl::StrCat("number ", column, " is ", ShownText(text), ", not a whole number or nothing"));
    }
    values_.push_back(static_cast<float>(std::log1p(static_cast<double>(std::max<int64_t>(number, 0)))));
    return absl::OkStatus();
  }

  static absl::Status WrongLength(const std::string& path, const LineReader& at) {
    const auto tabs = std::count(at.line().begin(), at.line().end(), '\t');
    return TextError(path, at, at.line(),
                     absl::StrCat("the line has ", tabs + 1, " columns between tabs, not ", kColumns,
                                  ": the label, 13 numbers and 26 categories"));
  }

  const LabelRule& rule_;
  std::vector<FieldKeys> fields_;
  std::vector<float> values_;
  std::vector<uint64_t> keys_;
  std::vector<float> labels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadCriteo(const std::vector<std::string>& paths, FeatureScale scale,
                                                    const LabelRule& rule) {
  Log log(rule);
  for (const std::string& path : paths) {
    SYNCLINE_RETURN_IF_ERROR(ForEachLine(path, [&](const LineReader& at) { return log.AddLine(path, at); }));
    if (log.size() == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file holds no samples"));
  }
  return log.Finish(scale);
}

}  // namespace syncline
