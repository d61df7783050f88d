#include "worker/data/dataset_factory.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "common/config/data_columns.h"
#include "common/config/model_shape.h"
#include "common/status/status_macros.h"
#include "worker/data/criteo.h"
#include "worker/data/csv.h"
#include "worker/data/data_file.h"
#include "worker/data/idx.h"
#include "worker/data/label_rule.h"
#include "worker/data/libsvm.h"
#include "worker/data/permutation.h"
#include "worker/data/random_linear.h"
#include "worker/data/text.h"
#include "worker/data/typed_csv.h"

namespace syncline {
namespace {

// The epoch whose shuffle chooses what is held out; no training gets that far.
constexpr uint64_t kHoldOutEpoch = std::numeric_limits<uint64_t>::max();

// Where samples are kept in a file; empty: in memory.
std::string Scratch(const Data& data) {
  if (data.shuffle_buffer() == 0) return "";
  if (!data.scratch().empty()) return data.scratch();
  const char* const temporary = std::getenv("TMPDIR");
  return temporary != nullptr && *temporary != '\0' ? temporary : "/var/tmp";
}

// Columns whose kinds the manifest says.
absl::StatusOr<std::unique_ptr<Dataset>> ReadColumns(const Data& data, const std::vector<std::string>& files,
                                                     FeatureScale scale, const LabelRule& rule) {
  TypedCsvOptions options;
  SYNCLINE_ASSIGN_OR_RETURN(options.columns, ParseColumns(data.columns()));
  if (data.has_label_above()) options.label_above = data.label_above();
  options.header = data.header();
  if (!data.separator().empty()) options.separator = data.separator()[0];
  options.scale = scale;
  options.rule = rule;
  options.scratch = Scratch(data);
  return ReadTypedCsv(files, options);
}

// Those that are read line by line, from one or several files.
absl::StatusOr<std::unique_ptr<Dataset>> ReadLines(const JobManifest& job, const std::string& path, FeatureScale scale,
                                                   const LabelRule& rule) {
  const Data& data = job.data();
  const uint32_t features = job.model().input();
  SYNCLINE_ASSIGN_OR_RETURN(const std::vector<std::string> files, DataFiles(path));
  if (data.format() == CRITEO) return ReadCriteo(files, scale, rule, Scratch(data));
  if (data.format() == LIBSVM) return ReadLibsvm(files, {features, data.entry_keys(), scale, rule, Scratch(data)});
  if (!data.columns().empty()) return ReadColumns(data, files, scale, rule);
  return ReadCsv(files, {features, data.label_column(), data.header(),
                         data.separator().empty() ? ',' : data.separator()[0], scale, rule, Scratch(data)});
}

absl::StatusOr<std::unique_ptr<Dataset>> ReadOne(const JobManifest& job, const std::string& path,
                                                 const std::string& labels) {
  const Data& data = job.data();
  const FeatureScale scale = {data.mean(), data.std()};
  const LabelRule rule = {job.model().loss(), ModelOutputs(job.model())};
  const uint32_t features = job.model().input();
  switch (data.format()) {
    case IDX:
      return ReadIdx(path, labels, features, scale, rule);
    case CSV:
    case LIBSVM:
    case CRITEO:
      return ReadLines(job, path, scale, rule);
    case RANDOM_LINEAR:
      return MakeRandomLinear(static_cast<uint32_t>(data.samples()), features, job.seed(), scale);
    default:
      return absl::InvalidArgumentError("data.format: missing");
  }
}

// Both parts by the alphabet of the first.
absl::StatusOr<TrainingData> ReadText(const JobManifest& job) {
  const Model& model = job.model();
  if (model.layers_size() == 0 || !model.layers(0).has_embedding()) {
    return absl::InvalidArgumentError("data.format: text needs a model that begins with an embedding");
  }
  SYNCLINE_ASSIGN_OR_RETURN(const std::string text, ReadDataFile(job.data().train()));
  const Alphabet alphabet(text);
  const size_t vocabulary = std::min(model.layers(0).embedding().vocabulary(), ModelOutputs(model));
  TrainingData loaded;
  SYNCLINE_ASSIGN_OR_RETURN(loaded.train,
                            MakeText(text, job.data().train(), alphabet, model.input(), vocabulary));
  if (job.data().test().empty()) return loaded;
  SYNCLINE_ASSIGN_OR_RETURN(const std::string test, ReadDataFile(job.data().test()));
  SYNCLINE_ASSIGN_OR_RETURN(loaded.test,
                            MakeText(test, job.data().test(), alphabet, model.input(), vocabulary));
  return loaded;
}

absl::Status CheckSize(const Dataset& data, const std::string& path) {
  if (data.size() <= std::numeric_limits<uint32_t>::max()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(path, " has ", data.size(), " samples, over 4294967295"));
}

// Of a text its end: runs beside each other say much about one another.
std::vector<uint32_t> HoldOutOrder(DataFormat format, uint32_t size, uint64_t seed) {
  if (format != TEXT) return EpochPermutation(size, seed, kHoldOutEpoch);
  std::vector<uint32_t> order(size);
  for (uint32_t i = 0; i < size; ++i) order[i] = size - 1 - i;
  return order;
}

absl::StatusOr<TrainingData> HoldOut(std::shared_ptr<const Dataset> whole, const Data& data, uint64_t seed) {
  const double fraction = data.test_fraction();
  const uint32_t size = static_cast<uint32_t>(whole->size());
  const uint32_t held_out = static_cast<uint32_t>(std::floor(size * fraction));
  if (held_out == 0) {
    return absl::InvalidArgumentError(absl::StrCat("data.test_fraction: ", fraction, " of ", size,
                                                   " samples is none; raise it or set it to 0"));
  }
  std::vector<uint32_t> order = HoldOutOrder(data.format(), size, seed);
  const auto cut = order.begin() + held_out;
  if (data.shuffle_buffer() > 0) {
    // Blocks of samples are to be blocks of the file.
    std::sort(order.begin(), cut);
    std::sort(cut, order.end());
  }
  return TrainingData{
      std::make_shared<DatasetSubset>(whole, std::vector<uint32_t>(cut, order.end())),
      std::make_shared<DatasetSubset>(whole, std::vector<uint32_t>(order.begin(), cut))};
}

}  // namespace

absl::StatusOr<TrainingData> LoadTrainingData(const JobManifest& job) {
  const Data& data = job.data();
  TrainingData loaded;
  if (data.format() == TEXT) {
    SYNCLINE_ASSIGN_OR_RETURN(loaded, ReadText(job));
  } else {
    SYNCLINE_ASSIGN_OR_RETURN(loaded.train, ReadOne(job, data.train(), data.train_labels()));
  }
  SYNCLINE_RETURN_IF_ERROR(CheckSize(*loaded.train, data.train()));
  if (data.test_fraction() > 0) {
    return HoldOut(std::move(loaded.train), data, job.seed());
  }
  if (!data.test().empty() && data.format() != TEXT) {
    SYNCLINE_ASSIGN_OR_RETURN(loaded.test, ReadOne(job, data.test(), data.test_labels()));
    SYNCLINE_RETURN_IF_ERROR(CheckSize(*loaded.test, data.test()));
  }
  return loaded;
}

}  // namespace syncline
