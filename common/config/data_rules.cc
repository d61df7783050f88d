#include "common/config/data_rules.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/config/data_columns.h"

namespace syncline {
namespace {

// Says which formats a field is for, if this is none of them.
void CheckBelongs(bool is_set, bool belongs, const char* path, const char* formats, FieldLog* log) {
  if (is_set && !belongs) {
    log->AddProblem(path, absl::StrCat("is only for data.format ", formats, "; take it out"));
  }
}

void CheckDataFiles(const Data& data, FieldLog* log) {
  const bool idx = data.format() == IDX;
  const bool reads_files = data.format() != RANDOM_LINEAR;
  if (reads_files && data.train().empty()) {
    log->AddProblem("data.train", "missing; name the file with the training data");
  }
  if (idx && data.train_labels().empty()) {
    log->AddProblem("data.train_labels", "missing; name the file with the labels of data.train");
  }
  if (idx && data.test().empty() != data.test_labels().empty()) {
    log->AddProblem(data.test().empty() ? "data.test" : "data.test_labels",
                    "missing; data.test and data.test_labels go together");
  }
  CheckBelongs(!data.train().empty(), reads_files, "data.train", "idx, csv, libsvm, text and criteo", log);
  CheckBelongs(!data.test().empty(), reads_files, "data.test", "idx, csv, libsvm, text and criteo", log);
  CheckBelongs(!data.train_labels().empty(), idx, "data.train_labels", "idx", log);
  CheckBelongs(!data.test_labels().empty(), idx, "data.test_labels", "idx", log);
}

// What each column is, where data.columns says it.
void CheckColumns(const Data& data, FieldLog* log) {
  if (data.columns().empty()) {
    if (data.has_label_above()) log->AddProblem("data.label_above", "needs data.columns; take it out or name the columns");
    return;
  }
  const auto columns = ParseColumns(data.columns());
  if (!columns.ok()) log->AddProblem("data.columns", columns.status().message());
  if (data.has_label_column()) {
    log->AddProblem("data.label_column", "data.columns says which column is the label already; set only one of them");
  }
}

// What is kept in a file and shuffled in parts.
void CheckShuffle(const Data& data, FieldLog* log) {
  const bool lines = data.format() == CSV || data.format() == LIBSVM || data.format() == CRITEO;
  CheckBelongs(data.shuffle_buffer() > 0, lines, "data.shuffle_buffer", "csv, libsvm and criteo", log);
  if (!data.scratch().empty() && data.shuffle_buffer() == 0) {
    log->AddProblem("data.scratch",
                    "needs data.shuffle_buffer, without which samples are kept in memory; set it or take this out");
  }
}

void CheckInput(const JobManifest& job, FieldLog* log) {
  const DataShape shape = ShapeOfData(job.data());
  if (!shape.known || job.model().input() == shape.floats) return;
  log->AddProblem("model.input", absl::StrCat(job.model().input(), " is not ", shape.floats,
                                              ", the number of features that the data has; take it out"));
}

}  // namespace

void CheckData(const JobManifest& job, FieldLog* log) {
  const Data& data = job.data();
  if (!data.has_format()) {
    return log->AddProblem("data.format", "missing; one of idx, csv, libsvm, random_linear, text, criteo");
  }
  CheckDataFiles(data, log);
  CheckColumns(data, log);
  CheckShuffle(data, log);
  CheckInput(job, log);
  const bool csv = data.format() == CSV;
  CheckBelongs(data.has_label_column(), csv, "data.label_column", "csv", log);
  CheckBelongs(data.has_header(), csv, "data.header", "csv", log);
  CheckBelongs(data.has_separator(), csv, "data.separator", "csv", log);
  CheckBelongs(data.has_test_fraction(),
               csv || data.format() == LIBSVM || data.format() == TEXT || data.format() == CRITEO,
               "data.test_fraction", "csv, libsvm, text and criteo", log);
  CheckBelongs(data.has_columns(), csv, "data.columns", "csv", log);
  CheckBelongs(data.has_label_above(), csv, "data.label_above", "csv", log);
  CheckBelongs(data.entry_keys() > 0, data.format() == LIBSVM, "data.entry_keys", "libsvm", log);
  CheckBelongs(data.has_samples(), data.format() == RANDOM_LINEAR, "data.samples", "random_linear",
               log);
  if (data.format() == RANDOM_LINEAR && !data.has_samples()) {
    log->AddProblem("data.samples", "missing; say how many samples to draw");
  }
  if (csv && (data.separator().size() != 1 || data.separator().find_first_of("\"\r\n.+-eE") == 0 ||
              absl::ascii_isdigit(data.separator()[0]))) {
    log->AddProblem("data.separator",
                    absl::StrCat("\"", absl::CHexEscape(data.separator()),
                                 "\" is not one ASCII character that no number holds"));
  }
  if (data.test_fraction() > 0 && !data.test().empty()) {
    log->AddProblem("data.test_fraction", "data.test is held out already; set only one of them");
  }
}

}  // namespace syncline
