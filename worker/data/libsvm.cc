#include "worker/data/libsvm.h"

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/types/optional.h"
#include "common/hash/feature_key.h"
#include "common/status/status_macros.h"
#include "worker/data/data_file.h"
#include "worker/data/sample_table.h"
#include "worker/data/table_text.h"

namespace syncline {
namespace {

// Features of sample i are [begin[i], begin[i + 1]).
class SparseDataset : public LabelledDataset {
 public:
  SparseDataset(SampleArray<uint64_t> begin, SampleArray<uint32_t> columns, SampleArray<float> values,
                SampleArray<float> labels, size_t features, float zero)
      : LabelledDataset(std::move(labels)),
        begin_(std::move(begin)),
        columns_(std::move(columns)),
        values_(std::move(values)),
        features_(features),
        zero_(zero) {}

  size_t features() const override { return features_; }

  void CopyFeatures(absl::Span<const uint32_t> samples, float* to) const override {
    for (const uint32_t sample : samples) {
      std::fill(to, to + features_, zero_);
      const uint64_t end = begin_[sample + 1];
      for (uint64_t i = begin_[sample]; i < end; ++i) to[columns_[i]] = values_[i];
      to += features_;
    }
  }

 private:
  const SampleArray<uint64_t> begin_;
  const SampleArray<uint32_t> columns_;
  const SampleArray<float> values_;
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

struct Entry {
  uint64_t index = 0;
  float value = 0;
};

// What becomes of the lines.
class Samples {
 public:
  virtual ~Samples() = default;

  // Of each line first its label, then its entries, then its end. The text that comes back says what is wrong with an
  // entry; empty: nothing.
  virtual void AddLabel(float label) = 0;
  virtual std::string AddEntry(const Entry& entry) = 0;
  virtual absl::Status EndLine() = 0;
  virtual size_t size() const = 0;
  virtual absl::StatusOr<std::unique_ptr<Dataset>> Finish() = 0;
};

class SparseSamples : public Samples {
 public:
  explicit SparseSamples(const LibsvmOptions& options)
      : options_(options),
        begin_(options.scratch),
        columns_(options.scratch),
        values_(options.scratch),
        labels_(options.scratch) {
    begin_.push_back(0);
  }

  void AddLabel(float label) override { labels_.push_back(label); }
  std::string AddEntry(const Entry& entry) override {
    if (entry.index < 1 || entry.index > options_.features) {
      return absl::StrCat("index ", entry.index, " is not in [1, ", options_.features, "], where model.input ends");
    }
    columns_.push_back(static_cast<uint32_t>(entry.index - 1));
    values_.push_back(Scaled(entry.value));
    return "";
  }
  absl::Status EndLine() override {
    begin_.push_back(values_.size());
    return values_.status();
  }
  size_t size() const override { return labels_.size(); }
  absl::StatusOr<std::unique_ptr<Dataset>> Finish() override {
    SYNCLINE_ASSIGN_OR_RETURN(auto begin, begin_.Finish());
    SYNCLINE_ASSIGN_OR_RETURN(auto columns, columns_.Finish());
    SYNCLINE_ASSIGN_OR_RETURN(auto values, values_.Finish());
    SYNCLINE_ASSIGN_OR_RETURN(auto labels, labels_.Finish());
    return std::make_unique<SparseDataset>(std::move(begin), std::move(columns), std::move(values), std::move(labels),
                                           options_.features, Scaled(0));
  }

 private:
  float Scaled(float value) const { return static_cast<float>((value - options_.scale.mean) / options_.scale.std); }

  const LibsvmOptions& options_;
  GrowingArray<uint64_t> begin_;
  GrowingArray<uint32_t> columns_;
  GrowingArray<float> values_;
  GrowingArray<float> labels_;
};

class KeyedSamples : public Samples {
 public:
  explicit KeyedSamples(const LibsvmOptions& options)
      : keys_(options.keys), table_(0, options.keys, {}, options.scratch) {}

  void AddLabel(float label) override { table_.AddLabel(label); }
  std::string AddEntry(const Entry& entry) override {
    if (entry.value == 0) return "";
    if (entry.value != 1) {
      return absl::StrCat("the value is ", entry.value, ", not 1 (or 0), as keys (data.entry_keys) have no weight");
    }
    if (count_ == keys_) {
      return absl::StrCat("the line has more than ", keys_, " entries; raise data.entry_keys to the most that one has");
    }
    table_.AddKey(index_.Key(absl::StrCat(entry.index)));
    ++count_;
    return "";
  }
  absl::Status EndLine() override {
    for (; count_ < keys_; ++count_) table_.AddKey(kNoKey);
    count_ = 0;
    return table_.status();
  }
  size_t size() const override { return table_.samples(); }
  absl::StatusOr<std::unique_ptr<Dataset>> Finish() override { return table_.Finish(); }

 private:
  const size_t keys_;
  const FieldKeys index_{"index"};
  SampleTable table_;
  size_t count_ = 0;  // of this line
};

class Parser {
 public:
  Parser(const LabelRule& rule, Samples* samples) : rule_(rule), samples_(*samples) {}

  absl::Status AddLine(const std::string& path, const LineReader& at) {
    absl::string_view rest = at.line().substr(0, at.line().find('#'));
    const absl::string_view label = NextWord(&rest);
    if (label.empty()) return absl::OkStatus();  // only a comment
    float value;
    if (!ParseFloat(label, &value) || !rule_.Accept(&value)) {
      return TextError(path, at, label,
                       absl::StrCat("the label is ", ShownText(label), ", not ", rule_.Accepted()));
    }
    samples_.AddLabel(value);
    absl::optional<uint64_t> previous;
    while (true) {
      const absl::string_view entry = NextWord(&rest);
      if (entry.empty()) return samples_.EndLine();
      SYNCLINE_RETURN_IF_ERROR(AddEntry(path, at, entry, &previous));
    }
  }

 private:
  absl::Status AddEntry(const std::string& path, const LineReader& at, absl::string_view text,
                        absl::optional<uint64_t>* previous) {
    const size_t colon = text.find(':');
    Entry entry;
    if (colon == absl::string_view::npos || !absl::SimpleAtoi(text.substr(0, colon), &entry.index) ||
        !ParseFloat(text.substr(colon + 1), &entry.value)) {
      return TextError(path, at, text,
                       absl::StrCat(ShownText(text), " is not INDEX:VALUE with a finite number"));
    }
    if (*previous && entry.index <= **previous) {
      return TextError(path, at, text,
                       absl::StrCat("index ", entry.index, " comes after ", **previous, "; indices ascend in a line"));
    }
    *previous = entry.index;
    const std::string wrong = samples_.AddEntry(entry);
    return wrong.empty() ? absl::OkStatus() : TextError(path, at, text, wrong);
  }

  const LabelRule& rule_;
  Samples& samples_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> ReadLibsvm(const std::vector<std::string>& paths,
                                                    const LibsvmOptions& options) {
  std::unique_ptr<Samples> samples;
  if (options.keys > 0) {
    samples = std::make_unique<KeyedSamples>(options);
  } else {
    samples = std::make_unique<SparseSamples>(options);
  }
  Parser parser(options.rule, samples.get());
  for (const std::string& path : paths) {
    SYNCLINE_RETURN_IF_ERROR(ForEachLine(path, [&](const LineReader& at) { return parser.AddLine(path, at); }));
    if (samples->size() == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file holds no samples"));
  }
  return samples->Finish();
}

}  // namespace syncline
