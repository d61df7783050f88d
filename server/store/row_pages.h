#ifndef SYNCLINE_SERVER_STORE_ROW_PAGES_H_
#define SYNCLINE_SERVER_STORE_ROW_PAGES_H_

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"
#include "server/store/cold_pages.h"
#include "server/store/cold_rows.h"

namespace syncline {

// Rows of equal size, each with a number, in pages that are copy-on-write: a snapshot shares
// them, and who writes to a row of a page that a snapshot still shows copies the page first. So a
// snapshot costs nothing at once, and later as much memory as the pages that changed meanwhile.
//
// Pages are 32 KiB (Buffer::kSlabBlock) for rows up to 1 KiB, more for larger ones. Rows are appended to one of them and
// removed from its end, so that as long as all pages stay in memory their numbers are 0 … size() - 1.
//
// A page may go to disk (ColdPages), in two steps between which it is written: Leave, MakeCold. Then its rows are read
// only, and those that are wanted are copied to a new place and removed from their old one, which stays
// empty until all of the page has gone. Of a row that is cold, 3 bytes stay in memory: its mark.
//
// Const methods may run together, others alone; a snapshot may be read and dropped on any thread.
class RowPages {
 public:
  // A mark has a bit that says there is a row, and the rest for who uses the pages.
  static constexpr uint32_t kMarkBits = 23;

  // `stride` bytes a row, at least 1. `store` may be null: pages stay in memory.
  explicit RowPages(size_t stride, std::shared_ptr<ColdPages> store = nullptr);
  RowPages(RowPages&&) = default;
  RowPages& operator=(RowPages&&) = default;

  size_t size() const { return size_; }
  size_t cold() const { return cold_; }  // rows of them
  size_t stride() const { return stride_; }
  // Of a page, a multiple of Buffer::kAlignment.
  size_t page_bytes() const;
  const std::shared_ptr<ColdPages>& store() const { return store_; }
  // Memory taken, in pages and beside them; not what snapshots alone still hold.
  size_t bytes() const;

  // A row, or null if it is cold.
  const char* At(uint32_t row) const {
    const size_t page = Page(row);
    const char* const start = starts_[page];
    return start == nullptr ? nullptr : start + (row - page * rows_per_page_) * stride_;
  }
  // Asks for what At looks at for so many rows, if that is most of it.
  void PrefetchPlaces(size_t rows) const {
    constexpr size_t kEach = 64 / sizeof(starts_[0]);  // of a cache line
    if (starts_.size() > kEach * rows) return;
    for (size_t page = 0; page < starts_.size(); page += kEach) __builtin_prefetch(&starts_[page]);
  }
  // Asks for the first `bytes` of a row, at least 1. Of long ones the processor fetches the rest
  // itself once it is read.
  static void Prefetch(const char* row, size_t bytes) {
    constexpr size_t kLine = 64, kMost = 16 * kLine;
    const size_t end = bytes < kMost ? bytes : kMost;
    for (size_t offset = 0; offset < end; offset += kLine) __builtin_prefetch(row + offset);
    __builtin_prefetch(row + end - 1);
  }

  // A row in memory, to be written to. Holds until the next snapshot.
  char* Mutable(uint32_t row);
  // What two rows in memory hold changes places.
  void Exchange(uint32_t a, uint32_t b) { std::swap_ranges(Mutable(a), Mutable(a) + stride_, Mutable(b)); }
  // A new row, with undefined contents.
  char* Append(uint32_t* row = nullptr);
  // The number of the row that RemoveLast removes; kNone: there is none in memory but those of pages that leave it.
  static constexpr uint32_t kNone = 0xffffffffu;
  uint32_t Last() const { return tail_ == kNone ? kNone : First(tail_) + pages_[tail_].end - 1; }
  void RemoveLast();

  // All rows, in memory in the order of their numbers, nothing between them.
  StoredRows Snapshot() const;
  // Of cold pages, those whose notes are wanted(notes). Null: there are none.
  template <typename Wanted>
  std::shared_ptr<const ColdRows> AllCold(const Wanted& wanted) const;

  uint32_t page_count() const { return static_cast<uint32_t>(pages_.size()); }
  // Calls visit(number, bytes) for each row of a page in memory.
  template <typename Visit>
  void ForEachRow(uint32_t page, const Visit& visit) const;
  // Of a page.
  bool is_cold(uint32_t page) const { return pages_[page].cold != nullptr; }
  uint32_t rows(uint32_t page) const { return pages_[page].live; }

  // Numbers that who uses the pages keeps of each.
  struct Notes {
    uint32_t begun = 0;   // when its first row came
    uint32_t filled = 0;  // and its last
    uint32_t oldest = 0;  // of a cold one
    uint32_t newest = 0;
  };
  Notes& notes(uint32_t page) { return pages_[page].notes; }
  const Notes& notes(uint32_t page) const { return pages_[page].notes; }

  // The page that is appended to, or kNone.
  uint32_t tail() const { return tail_; }
  // Rows are appended to this page from now on, to a new one if it is kNone. What was the tail is out of the order then,
  // and must become the tail again, be kept, or leave.
  uint32_t ExchangeTail(uint32_t page) { return std::exchange(tail_, page); }
  size_t rows_per_page() const { return rows_per_page_; }
  // The pages in memory in the order in which they were filled or kept, less the tail.
  size_t waiting() const { return order_.size(); }
  // The first of them, which is out of the order then, and must be kept, or leave.
  uint32_t TakeOldest();
  void Keep(uint32_t page);
  // What notes() of pages that are begun and filled have from now on.
  void set_time(uint32_t now) { now_ = now; }

  // Pages on their way out of memory: they can be read and written to meanwhile, and then stay.
  struct Leaving {
    std::vector<uint32_t> pages;
    std::vector<const char*> bytes;  // page_bytes() each, which do not change
    std::shared_ptr<const void> shown;
    const void* of = nullptr;
  };
  Leaving Leave(std::vector<uint32_t> pages);
  // They have been written to `places`. `mark` is asked for every row that is there.
  void MakeCold(const Leaving& leaving, absl::Span<const uint64_t> places,
                const std::function<uint32_t(const char* row)>& mark);
  // They have not.
  void Stay(const Leaving& leaving);

  // Of a cold row.
  uint32_t Mark(uint32_t row) const { return MarkOf(pages_[Page(row)], row) & kMarkMask; }
  // Whether there is a row of this number, which there was.
  bool Exists(uint32_t row) const {
    const PageState& page = pages_[Page(row)];
    return page.marks == nullptr ? row - First(Page(row)) < page.end : MarkOf(page, row) != 0;
  }
  struct ColdRow {
    const std::shared_ptr<const ColdPage>& page;
    size_t offset;
  };
  ColdRow Cold(uint32_t row) const {
    const size_t page = Page(row);
    return {pages_[page].cold, (row - page * rows_per_page_) * stride_};
  }
  // Leaves the place of a row empty, in a page that is cold, leaving, or taken to leave.
  void Remove(uint32_t row);
  bool StaysInMemory(uint32_t row) const {
    const PageState& page = pages_[Page(row)];
    return page.cold == nullptr && !page.leaving;
  }
  // Rows of cold pages that are half empty or more: as many as fill whole pages, `most` at most.
  std::vector<uint32_t> SparseRows(size_t most) const;

 private:
  // Snapshots that are still there.
  struct Watch {
    std::atomic<int> snapshots{0};
  };
  struct Shown;
  static constexpr uint32_t kThere = 1u << kMarkBits, kMarkMask = kThere - 1;
  static constexpr size_t kMarkBytes = 3;

  struct PageState {
    // One of both, unless no row is in it.
    Buffer memory;
    std::shared_ptr<const ColdPage> cold;
    // Of a page that is cold or has empty places.
    std::unique_ptr<unsigned char[]> marks;
    uint32_t end = 0;   // places taken
    uint32_t live = 0;  // of them with rows
    bool leaving = false;
    bool sparse = false;  // and among sparse_
    Notes notes;
  };

  // row / rows_per_page_, by multiplication: exact, as row is below 2^32.
  size_t Page(uint32_t row) const {
    return static_cast<size_t>((static_cast<unsigned __int128>(reciprocal_) * row) >> 64);
  }
  uint32_t First(size_t page) const { return static_cast<uint32_t>(page * rows_per_page_); }
  uint32_t MarkOf(const PageState& page, uint32_t row) const {
    const unsigned char* const mark = &page.marks[(row - First(Page(row))) * kMarkBytes];
    return mark[0] | mark[1] << 8 | mark[2] << 16;
  }
  // Calls visit(first, rows) for rows of a page that lie side by side, by their places in it.
  template <typename Visit>
  void ForEachRun(uint32_t page, const Visit& visit) const;
  void SetMark(uint32_t row, uint32_t mark);
  void AddMarks(PageState* page);
  void CopyIfShown(size_t page);
  void NewTail();
  void BecomeTail(uint32_t page);
  void Drop(uint32_t page);

  size_t stride_;
  size_t rows_per_page_;
  uint64_t reciprocal_;
  std::shared_ptr<ColdPages> store_;
  size_t size_ = 0;
  size_t cold_ = 0;
  size_t in_memory_ = 0;  // pages
  size_t marked_ = 0;     // pages with marks
  std::vector<PageState> pages_;
  std::vector<char*> starts_;  // of the pages in memory
  uint32_t now_ = 0;
  uint32_t tail_ = kNone;
  Buffer spare_;  // for what comes and goes at the border
  std::deque<uint32_t> order_;
  std::vector<uint32_t> unused_, sparse_;
  std::shared_ptr<Watch> watch_ = std::make_shared<Watch>();
};

template <typename Visit>
void RowPages::ForEachRow(uint32_t page, const Visit& visit) const {
  ForEachRun(page, [&](uint32_t first, uint32_t rows) {
    for (uint32_t i = first; i < first + rows; ++i) visit(First(page) + i, starts_[page] + i * stride_);
  });
}

template <typename Visit>
void RowPages::ForEachRun(uint32_t page, const Visit& visit) const {
  const PageState& state = pages_[page];
  const auto there = [&](uint32_t i) { return state.live == state.end || MarkOf(state, First(page) + i) != 0; };
  for (uint32_t i = 0; i < state.end && state.live > 0; ++i) {
    const uint32_t first = i;
    while (i < state.end && there(i)) ++i;
    if (i > first) visit(first, i - first);
  }
}

template <typename Wanted>
std::shared_ptr<const ColdRows> RowPages::AllCold(const Wanted& wanted) const {
  if (cold_ == 0) return nullptr;
  auto rows = std::make_shared<ColdRows>(store_, stride_);
  for (uint32_t page = 0; page < page_count(); ++page) {
    const PageState& state = pages_[page];
    if (state.cold == nullptr || !wanted(state.notes)) continue;
    ForEachRun(page, [&](uint32_t first, uint32_t count) { rows->Add(state.cold, first, count, state.notes.newest); });
  }
  if (rows->size() == 0) return nullptr;
  return rows;
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_PAGES_H_
