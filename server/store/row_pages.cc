#include "server/store/row_pages.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

namespace syncline {
namespace {

// The smallest page that is used to 31/32 or better, else one of the largest. Two at least, as the
// reciprocal of one does not fit 64 bits.
size_t RowsPerPage(size_t stride) {
  size_t bytes = Buffer::kSlabBlock;
  for (; bytes < 8 * Buffer::kSlabBlock; bytes *= 2) {
    if (bytes % stride <= bytes / 32) break;
  }
  return std::max<size_t>(2, bytes / stride);
}

}  // namespace

// What a snapshot holds.
struct RowPages::Shown {
  Shown(std::vector<Buffer> pages, std::shared_ptr<Watch> watch)
      : pages(std::move(pages)), watch(std::move(watch)) {
    this->watch->snapshots.fetch_add(1, std::memory_order_relaxed);
  }
  ~Shown() {
    pages.clear();
    // Whoever sees it gone sees the pages' last readers done.
    watch->snapshots.fetch_sub(1, std::memory_order_release);
  }

  std::vector<Buffer> pages;
  const std::shared_ptr<Watch> watch;
};

RowPages::RowPages(size_t stride)
    : stride_(stride),
      rows_per_page_(RowsPerPage(stride)),
      reciprocal_(std::numeric_limits<uint64_t>::max() / rows_per_page_ + 1) {}

size_t RowPages::bytes() const {
  const size_t page = rows_per_page_ * stride_;
  const size_t whole = (page + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
  return pages_.size() * whole + pages_.capacity() * (sizeof(Buffer) + sizeof(char*));
}

void RowPages::CopyIfShown(size_t page) {
  // As a rule there is no snapshot, and the pages' own counts need not be looked up.
  if (watch_->snapshots.load(std::memory_order_acquire) == 0 || pages_[page].Unique()) return;
  Buffer copy = Buffer::Allocate(rows_per_page_ * stride_);
  std::memcpy(copy.data(), starts_[page], copy.size());
  starts_[page] = copy.data();
  pages_[page] = std::move(copy);
}

char* RowPages::Mutable(uint32_t row) {
  CopyIfShown(Page(row));
  return const_cast<char*>(At(row));
}

char* RowPages::Append() {
  if (size_ == pages_.size() * rows_per_page_) {
    pages_.push_back(Buffer::Allocate(rows_per_page_ * stride_));
    starts_.push_back(pages_.back().data());
  }
  return Mutable(static_cast<uint32_t>(size_++));
}

void RowPages::RemoveLast() {
  --size_;
  // One empty page stays, for what comes and goes at the border.
  if (size_ + 2 * rows_per_page_ > pages_.size() * rows_per_page_) return;
  pages_.pop_back();
  starts_.pop_back();
}

Fragments RowPages::Snapshot() const {
  const size_t used = (size_ + rows_per_page_ - 1) / rows_per_page_;
  std::vector<Buffer> pages(pages_.begin(), pages_.begin() + static_cast<ptrdiff_t>(used));
  Fragments rows(std::make_shared<Shown>(std::move(pages), watch_));
  for (size_t page = 0; page < used; ++page) {
    rows.Append(starts_[page], std::min(rows_per_page_, size_ - page * rows_per_page_) * stride_);
  }
  return rows;
}

}  // namespace syncline
