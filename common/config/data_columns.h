#ifndef SYNCLINE_COMMON_CONFIG_DATA_COLUMNS_H_
#define SYNCLINE_COMMON_CONFIG_DATA_COLUMNS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "proto/job.pb.h"

namespace syncline {

// One column of a table, as data.columns says.
struct DataColumn {
  enum class Kind { kSkip, kLabel, kFloat, kCategory };
  Kind kind = Kind::kSkip;
  std::string name;  // of a category: what its keys are hashed with
};

// Reads "label, skip, float, origin=category": exactly one label. InvalidArgument says what is accepted.
absl::StatusOr<std::vector<DataColumn>> ParseColumns(absl::string_view text);

// What a sample has where the format, data.columns or data.entry_keys says it, and not the model; otherwise, and where
// data.columns can't be read, known is false.
struct DataShape {
  bool known = false;
  uint32_t floats = 0;
  uint32_t categories = 0;
};
DataShape ShapeOfData(const Data& data);

// Of criteo.
constexpr uint32_t kCriteoFloats = 13;
constexpr uint32_t kCriteoCategories = 26;

// Reads "0-3, 7": fields below `count`, none twice. InvalidArgument says what is accepted.
absl::StatusOr<std::vector<uint32_t>> ParseFields(absl::string_view text, uint32_t count);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CONFIG_DATA_COLUMNS_H_
