#ifndef SYNCLINE_DEPLOY_CLI_PULLED_TEXT_H_
#define SYNCLINE_DEPLOY_CLI_PULLED_TEXT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

namespace syncline {

// How people name what `syncline pull` pulls, and how it is printed. Pure functions.

// A key of a row, and how it was written.
struct NamedKey {
  uint64_t key = 0;
  std::string name;
};
// Reads "1,2,origin=SFO": numbers, and categories by their field and value (common/hash/feature_key.h).
// INVALID_ARGUMENT says
// what is accepted, also for a key that comes twice.
absl::StatusOr<std::vector<NamedKey>> ParseKeys(absl::string_view text);

// Rows [keys, dim] as "KEY NUMBER NUMBER ..." a line.
std::string RowsText(absl::Span<const NamedKey> keys, absl::Span<const float> rows);
// {"table": NAME, "step": N, "rows": [{"key": "K", "row": [...]}, ...]}
std::string RowsJson(const std::string& table, uint64_t step, absl::Span<const NamedKey> keys,
                     absl::Span<const float> rows);
// A line for each run of its last dimension.
std::string TensorText(absl::Span<const uint64_t> shape, absl::Span<const float> values);
// {"tensor": NAME, "step": N, "shape": [...], "values": [...]}, row-major
std::string TensorJson(const std::string& name, uint64_t step, absl::Span<const uint64_t> shape,
                       absl::Span<const float> values);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_PULLED_TEXT_H_
