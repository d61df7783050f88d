#include "worker/data/libsvm.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/status/status_macros.h"
#include "worker/data/data_file.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

// Compressed rows: the entries of sample i are [begin[i], begin[i + 1]).
struct SparseRows {
  std::vector<size_t> begin = {0};
  std::vector<uint32_t> columns;
  std::vector<float> values;
};

class SparseDataset : public LabelledDataset {
 public:
  SparseDataset(SparseRows rows, size_t features, std::vector<float> labels, FeatureScale scale)
      : LabelledDataset(std::move(labels)),
        rows_(std::move(rows)),
        features_(features),
        zero_(static_cast<float>(-scale.mean / scale.std)) {
    for (float& v : rows_.values) v = static_cast<float>((v - scale.mean) / scale.std);
  }

  size_t features() const override { return features_; }

  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override {
    for (const uint32_t sample : samples) {
      std::fill(to, to + features_, zero_);
      for (size_t i = rows_.begin[sample]; i < rows_.begin[sample + 1]; ++i) {
        to[rows_.columns[i]] = rows_.values[i];
      }
      to += features_;
    }
  }

 private:
  SparseRows rows_;
  const size_t features_;
  const float zero_;  // what an entry left out is after scaling
};

// Takes the next word off the front of `rest`; empty at the end of the line.
absl::string_view NextWord(absl::string_view* rest) {
  const size_t start = std::min(rest->find_first_not_of(" \t"), rest->size());
  rest->remove_prefix(start);
  const size_t end = std::min(rest->find_first_of(" \t"), rest->size());
  const absl::string_view word = rest->substr(0, end);
  rest->remove_prefix(end);
  return word;
}

class Parser {
 public:
  Parser(const std::string& path, size_t features, const LabelRule& rule)
      : path_(path), features_(features), rule_(rule) {}

  absl::Status AddLine(const LineReader& at) {
    absl::string_view rest = at.line().substr(0, at.line().find('#'));
    const absl::string_view label = NextWord(&rest);
    if (label.empty()) return absl::OkStatus();  // only a comment
    float value;
    if (!ParseFloat(label, &value) || !rule_.Accept(&value)) {
      return TextError(path_, at, label,
                       absl::StrCat("the label is ", ShownText(label), ", not ", rule_.Accepted()));
    }
    labels_.push_back(value);
    uint32_t previous = 0;
    while (true) {
      const absl::string_view entry = NextWord(&rest);
      if (entry.empty()) break;
      SYNCLINE_RETURN_IF_ERROR(AddEntry(at, entry, &previous));
    }
    rows_.begin.push_back(rows_.values.size());
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Finish(FeatureScale scale) {
    if (labels_.empty()) {
      return absl::InvalidArgumentError(absl::StrCat(path_, ": the file holds no samples"));
    }
    return std::make_unique<SparseDataset>(std::move(rows_), features_, std::move(labels_), scale);
  }

 private:
  absl::Status AddEntry(const LineReader& at, absl::string_view entry, uint32_t* previous) {
    const size_t colon = entry.find(':');
    uint32_t index;
    float value;
    if (colon == absl::string_view::npos || !absl::SimpleAtoi(entry.substr(0, colon), &index) ||
        !ParseFloat(entry.substr(colon + 1), &value)) {
      return TextError(path_, at, entry,
                       absl::StrCat(ShownText(entry), " is not INDEX:VALUE with a finite number"));
    }
    if (index < 1 || index > features_) {
      return TextError(
          path_, at, entry,
          absl::StrCat("index ", index, " is not in [1, ", features_, "], where model.input ends"));
    }
    if (index <= *previous) {
      return TextError(
          path_, at, entry,
          absl::StrCat("index ", index, " comes after ", *previous, "; indices ascend in a line"));
    }
    *previous = index;
    rows_.columns.push_back(index - 1);
    rows_.values.push_back(value);
    return absl::OkStatus();
  }

  const std::string& path_;
  const size_t features_;
  const LabelRule& rule_;
  SparseRows rows_;
  std::vector<float> labels_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadLibsvm(const std::string& path, size_t features,
                                                    FeatureScale scale, const LabelRule& rule) {
  SYNCLINE_ASSIGN_OR_RETURN(const std::string text, ReadDataFile(path));
  Parser parser(path, features, rule);
  LineReader lines(text);
  while (lines.Next()) SYNCLINE_RETURN_IF_ERROR(parser.AddLine(lines));
  return parser.Finish(scale);
}

}  // namespace syncline
