#ifndef SYNCLINE_SERVER_STORE_ROW_STREAM_H_
#define SYNCLINE_SERVER_STORE_ROW_STREAM_H_

#include <cstddef>
#include <vector>

#include "absl/status/status.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Calls visit(row) for one stored row after the other, `stride` bytes each, in order and where they lie; one that is
// split over pieces is put together first. Stops at the first error. What is left of less than a row is passed by.
template <typename Visit>
absl::Status ForEachRow(const Fragments& rows, size_t stride, const Visit& visit) {
  std::vector<char> split;
  for (const Fragments::Piece& piece : rows.pieces()) {
    size_t at = 0;
    while (!split.empty() && at < piece.size && split.size() < stride) split.push_back(piece.data[at++]);
    if (split.size() == stride) {
      if (const absl::Status status = visit(static_cast<const char*>(split.data())); !status.ok()) return status;
      split.clear();
    }
    for (; piece.size - at >= stride; at += stride) {
      if (const absl::Status status = visit(piece.data + at); !status.ok()) return status;
    }
    split.insert(split.end(), piece.data + at, piece.data + piece.size);
  }
  return absl::OkStatus();
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_STREAM_H_
