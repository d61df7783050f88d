#ifndef SYNCLINE_WORKER_DATA_IDX_H_
#define SYNCLINE_WORKER_DATA_IDX_H_

// IDX, the format of MNIST and its relatives; numbers are big-endian:
//
//   file  := 00 00 TYPE RANK size{RANK} byte*
//   TYPE  := 08, unsigned bytes, the only one read here
//   RANK  := one byte: how many sizes follow, at least 1; labels have 1
//   size  := 4 bytes; the first counts the samples, the others multiply to the features
//   byte* := exactly the product of the sizes

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/data/dataset.h"
#include "worker/data/label_rule.h"

namespace syncline {

// Reads samples and their labels, gzipped or not. Features are bytes / 255, then scaled; they stay
// bytes in memory. Errors name the file and what it should hold.
absl::StatusOr<std::unique_ptr<Dataset>> ReadIdx(const std::string& samples_path,
                                                 const std::string& labels_path, size_t features,
                                                 FeatureScale scale, const LabelRule& rule);

}  // namespace syncline

#endif  // SYNCLINE_WORKER_DATA_IDX_H_
