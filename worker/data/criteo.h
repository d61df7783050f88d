#ifndef SYNCLINE_WORKER_DATA_CRITEO_H_
#define SYNCLINE_WORKER_DATA_CRITEO_H_

// The click logs that Criteo published, and what is written like them:
//
//   file     := line*                     empty lines are skipped
//   line     := label (TAB number){13} (TAB category){26}
//   label    := 0 | 1
//   number   := whole number, or nothing: missing
//   category := any text, or nothing: missing

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

// Reads files one after the other, packed or not. A number x becomes log(1 + max(x, 0)), as in DLRM (Naumov et al.
// 2019), 0 where it is missing; the keys of category i, from 1, are those of the field "Ci". 264 bytes a sample, in
// `scratch` as SampleTable says.
// Errors name file, line, column and what is accepted.
absl::StatusOr<std::unique_ptr<Dataset>> ReadCriteo(const std::vector<std::string>& paths, FeatureScale scale,
                                                    const LabelRule& rule, const std::string& scratch = "");

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_CRITEO_H_
