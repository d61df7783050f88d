#ifndef SYNCLINE_SERVER_STORE_COLD_ROWS_H_
#define SYNCLINE_SERVER_STORE_COLD_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/tensor/fragments.h"
#include "server/store/cold_pages.h"

namespace syncline {

// Rows on cold pages as they were when somebody asked for them, for whoever goes through all of them. Their places are
// not used again for as long as this is there.
//
// Once all is added it is immutable, hence thread-safe. What reads blocks, and returns the first error of the disk, or
// of whoever is shown what was read.
class ColdRows {
 public:
  // `stride` bytes a row.
  ColdRows(std::shared_ptr<ColdPages> store, size_t stride) : store_(std::move(store)), stride_(stride) {}

  // Some of a page, from its row number `first` on; none was touched by an update after `newest`.
  void Add(const std::shared_ptr<const ColdPage>& page, uint32_t first, uint32_t rows, uint32_t newest);

  // Of all rows, in bytes.
  size_t size() const { return rows_ * stride_; }

  // Reads all rows, in an order that is always the same: calls visit(bytes) for as many as fit into `most` bytes, one
  // at least, again and again. Each of these is memory of its own.
  using Visit = std::function<absl::Status(const Fragments&)>;
  absl::Status ForEachBlock(size_t most, const Visit& visit) const;

  // Calls visit(row), which returns a Status, for each row, or for each that may have been touched after this update:
  // pages without any are not read.
  template <typename VisitRow>
  absl::Status ForEachRow(const VisitRow& visit) const;
  template <typename VisitRow>
  absl::Status TouchedAfter(uint64_t update, const VisitRow& visit) const;

 private:
  // Of rows that lie side by side.
  struct Run {
    const ColdPage* page;
    uint32_t first, rows, newest;
  };
  using Wanted = std::function<bool(const Run&)>;
  static constexpr size_t kBlock = size_t{1} << 20;

  absl::Status Read(size_t most, const Wanted& wanted, const Visit& visit) const;
  template <typename VisitRow>
  absl::Status VisitRows(const Wanted& wanted, const VisitRow& visit) const;

  const std::shared_ptr<ColdPages> store_;
  const size_t stride_;
  std::vector<std::shared_ptr<const ColdPage>> pages_;
  std::vector<Run> runs_;
  size_t rows_ = 0;
};

// Rows of a slot, those in memory and those that are not; null: there are none.
struct StoredRows {
  Fragments memory;
  std::shared_ptr<const ColdRows> cold;
};

// All of them in memory.
absl::StatusOr<Fragments> Load(const StoredRows& rows);

template <typename VisitRow>
absl::Status ColdRows::VisitRows(const Wanted& wanted, const VisitRow& visit) const {
  return Read(kBlock, wanted, [&](const Fragments& block) {
    for (const Fragments::Piece& piece : block.pieces()) {
      for (size_t at = 0; at < piece.size; at += stride_) {
        if (const absl::Status status = visit(piece.data + at); !status.ok()) return status;
      }
    }
    return absl::OkStatus();
  });
}

template <typename VisitRow>
absl::Status ColdRows::ForEachRow(const VisitRow& visit) const {
  return VisitRows([](const Run&) { return true; }, visit);
}

template <typename VisitRow>
absl::Status ColdRows::TouchedAfter(uint64_t update, const VisitRow& visit) const {
  const auto later = [update](const Run& run) {
    return static_cast<int32_t>(run.newest - static_cast<uint32_t>(update)) > 0;
  };
  return VisitRows(later, visit);
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_COLD_ROWS_H_
