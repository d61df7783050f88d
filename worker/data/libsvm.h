#ifndef SYNCLINE_WORKER_DATA_LIBSVM_H_
#define SYNCLINE_WORKER_DATA_LIBSVM_H_

// The sparse text format of LIBSVM (Chang and Lin 2011):
//
//   file    := line*            empty lines are skipped
//   line    := label (SP+ index ':' value)* [SP* '#' comment]
//   index   := whole number from 1 to model.input, ascending in a line
//   value   := number; what a line leaves out is 0

// With `keys` above 0 entries are keys of rows in place of features: that of index i is FeatureKey("index", "i"), i is
// any whole number, and a line has at most `keys` of them, of value 1 (or 0: none), as rows are not weighted.

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

struct LibsvmOptions {
  size_t features = 0;
  size_t keys = 0;
  FeatureScale scale = {};
  LabelRule rule = {};
  // See SampleTable.
  std::string scratch = "";
};

// Reads files one after the other, packed or not. Features stay sparse and become dense in a batch. Errors name file,
// line, column and what is accepted.
absl::StatusOr<std::unique_ptr<Dataset>> ReadLibsvm(const std::vector<std::string>& paths,
                                                    const LibsvmOptions& options);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_LIBSVM_H_
