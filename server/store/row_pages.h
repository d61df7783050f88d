#ifndef SYNCLINE_SERVER_STORE_ROW_PAGES_H_
#define SYNCLINE_SERVER_STORE_ROW_PAGES_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Rows of equal size, numbered 0 … size() - 1, in pages that are copy-on-write: a snapshot shares
// them, and who writes to a row of a page that a snapshot still shows copies the page first. So a
// snapshot costs nothing at once, and later as much memory as the pages that changed meanwhile.
//
// Pages are 32 KiB (Buffer::kSlabBlock) for rows up to 1 KiB, more for larger ones.
//
// Const methods may run together, others alone; a snapshot may be read and dropped on any thread.
class RowPages {
 public:
  // `stride` bytes a row, at least 1.
  explicit RowPages(size_t stride);
  RowPages(RowPages&&) = default;
  RowPages& operator=(RowPages&&) = default;

  size_t size() const { return size_; }
  size_t stride() const { return stride_; }
  // Memory taken, in pages and beside them; not what snapshots alone still hold.
  size_t bytes() const;

  const char* At(uint32_t row) const {
    const size_t page = Page(row);
    return starts_[page] + (row - page * rows_per_page_) * stride_;
  }
  // Asks for the first `bytes` of a row, at least 1. Of long ones the processor fetches the rest
  // itself once it is read.
  static void Prefetch(const char* row, size_t bytes) {
    constexpr size_t kLine = 64, kMost = 16 * kLine;
    const size_t end = bytes < kMost ? bytes : kMost;
    for (size_t offset = 0; offset < end; offset += kLine) __builtin_prefetch(row + offset);
    __builtin_prefetch(row + end - 1);
  }

  // The row, to be written to. Holds until the next snapshot.
  char* Mutable(uint32_t row);
  // A new last row, with undefined contents.
  char* Append();
  void RemoveLast();

  // All rows in order, nothing between them.
  Fragments Snapshot() const;

 private:
  // Snapshots that are still there.
  struct Watch {
    std::atomic<int> snapshots{0};
  };
  struct Shown;

  // row / rows_per_page_, by multiplication: exact, as row is below 2^32.
  size_t Page(uint32_t row) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(reciprocal_) * row) >> 64);
  }
  void CopyIfShown(size_t page);

  size_t stride_;
  size_t rows_per_page_;
  uint64_t reciprocal_;
  size_t size_ = 0;
  std::vector<Buffer> pages_;
  std::vector<char*> starts_;  // of the pages
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
};

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_PAGES_H_
