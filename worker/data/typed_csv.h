#ifndef SYNCLINE_WORKER_DATA_TYPED_CSV_H_
#define SYNCLINE_WORKER_DATA_TYPED_CSV_H_

// Tables whose columns are named by kind (data.columns), as RFC 4180 writes them but for line ends in fields:
//
//   file   := [line] row*        the first line is skipped where the manifest says `header: true`
//   row    := field (SEPARATOR field)* end
//   field  := text without SEPARATOR or '"', or '"' (any but '"' or line end, or '""' for '"')* '"'
//   end    := LF | CR LF | end of file; empty lines are skipped

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/optional.h"
#include "common/config/data_columns.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

struct TypedCsvOptions {
  std::vector<DataColumn> columns;
  // The label is whether the column is above this.
  absl::optional<double> label_above;
  bool header = false;
  char separator = ',';
  FeatureScale scale = {};
  LabelRule rule = {};
  // See SampleTable.
  std::string scratch = "";
};

// Reads files one after the other, packed or not; with a header, each has one. Columns of numbers are features in
// their order, categories are keys in theirs (a missing one is an empty text), as written, spaces around them aside.
// Errors name file, line, column and what is accepted.
absl::StatusOr<std::unique_ptr<Dataset>> ReadTypedCsv(const std::vector<std::string>& paths,
                                                      const TypedCsvOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_TYPED_CSV_H_
