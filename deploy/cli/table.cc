#include "deploy/cli/table.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace syncline {

std::string FormatTable(const std::vector<TableRow>& rows) {
  std::vector<size_t> widths(rows[0].size());
  for (const TableRow& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const TableRow& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      absl::StrAppendFormat(&line, "%*s  ", static_cast<int>(widths[i]), row[i]);
    }
    absl::StripTrailingAsciiWhitespace(&line);
    absl::StrAppend(&text, "  ", line, "\n");
  }
  return text;
}

std::string BytesText(double bytes) {
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) bytes /= 1024, ++unit;
  return absl::StrFormat("%.*f %s", unit == 0 ? 0 : 1, bytes, units[unit]);
}

TableRow QuantileCells(absl::Span<const uint64_t> counts) {
  double count = 0, sum = 0;
  for (size_t value = 0; value < counts.size(); ++value) {
    count += static_cast<double>(counts[value]);
    sum += static_cast<double>(value) * static_cast<double>(counts[value]);
  }
  if (count == 0) return TableRow(4, "-");
  TableRow cells = {absl::StrFormat("%.2f", sum / count)};
  for (const double quantile : {0.5, 0.99, 1.0}) {
    double below = 0;
    size_t next = 0;
    while (below < quantile * count) below += static_cast<double>(counts[next++]);
    cells.push_back(absl::StrCat(next - 1));
  }
  return cells;
}

}  // namespace syncline
