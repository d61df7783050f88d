#ifndef SYNCLINE_DEPLOY_CLI_TABLE_H_
#define SYNCLINE_DEPLOY_CLI_TABLE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

using TableRow = std::vector<std::string>;

// Indented lines, columns as wide as their widest cell, to the right. All rows are as long as the first.
std::string FormatTable(const std::vector<TableRow>& rows);

// As in "3.0 MiB".
std::string BytesText(double bytes);

// Mean, median, 99th percentile and maximum of values counted from 0; "-" each if there are none.
TableRow QuantileCells(absl::Span<const uint64_t> counts);

}  // namespace syncline

#endif  // SYNCLINE_DEPLOY_CLI_TABLE_H_
