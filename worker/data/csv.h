#ifndef SYNCLINE_WORKER_DATA_CSV_H_
#define SYNCLINE_WORKER_DATA_CSV_H_

// Tables of numbers, as RFC 4180 writes them:
//
//   file  := [line] row*        the first line is skipped where the manifest says `header: true`
//   row   := field (SEPARATOR field)* end
//   field := number | '"' number '"', spaces around it allowed; one column is the label
//   end   := LF | CR LF | end of file; empty lines are skipped

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

struct CsvOptions {
  size_t features = 0;    // columns besides the label
  int label_column = -1;  // from 0; negative counts from the end
  bool header = false;
  char separator = ',';
  FeatureScale scale = {};
  LabelRule rule = {};
  // See SampleTable.
  std::string scratch = "";
};

// Reads files one after the other, packed or not; with a header, each has one. Errors name file, line, column and what
// is accepted: a row of another length, what is no finite number, a label the model has no output for.
absl::StatusOr<std::unique_ptr<Dataset>> ReadCsv(const std::vector<std::string>& paths,
                                                 const CsvOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_CSV_H_
