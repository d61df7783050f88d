#ifndef SYNCLINE_WORKER_DATA_LIBSVM_H_
#define SYNCLINE_WORKER_DATA_LIBSVM_H_

// The sparse text format of LIBSVM (Chang and Lin 2011):
//
//   file    := line*            empty lines are skipped
//   line    := label (SP+ index ':' value)* [SP* '#' comment]
//   index   := whole number from 1 to model.input, ascending in a line
//   value   := number; what a line leaves out is 0

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

// Reads a file, gzipped or not. It stays sparse in memory and becomes dense in a batch. Errors name
// file, line, column and what is accepted.
absl::StatusOr<std::unique_ptr<Dataset>> ReadLibsvm(const std::string& path, size_t features,
                                                    FeatureScale scale, const LabelRule& rule);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_LIBSVM_H_
