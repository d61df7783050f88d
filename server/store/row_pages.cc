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
  explicit Shown(std::shared_ptr<Watch> watch) : watch(std::move(watch)) {
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

RowPages::RowPages(size_t stride, std::shared_ptr<ColdPages> store)
    : stride_(stride),
      rows_per_page_(RowsPerPage(stride)),
      reciprocal_(std::numeric_limits<uint64_t>::max() / rows_per_page_ + 1),
      store_(std::move(store)) {}

size_t RowPages::page_bytes() const {
  return (rows_per_page_ * stride_ + Buffer::kAlignment - 1) / Buffer::kAlignment * Buffer::kAlignment;
}

size_t RowPages::bytes() const {
  return in_memory_ * page_bytes() + marked_ * rows_per_page_ * kMarkBytes +
         pages_.capacity() * (sizeof(PageState) + sizeof(char*));
}

void RowPages::CopyIfShown(size_t page) {
  // As a rule there is no snapshot, and the pages' own counts need not be looked up.
  if (watch_->snapshots.load(std::memory_order_acquire) == 0 || pages_[page].memory.Unique()) return;
  Buffer copy = Buffer::Allocate(page_bytes());
  std::memcpy(copy.data(), starts_[page], copy.size());
  starts_[page] = copy.data();
  pages_[page].memory = std::move(copy);
}

char* RowPages::Mutable(uint32_t row) {
  CopyIfShown(Page(row));
  return const_cast<char*>(At(row));
}

void RowPages::NewTail() {
  if (tail_ != kNone) {
    pages_[tail_].notes.filled = now_;
    order_.push_back(tail_);
  }
  if (unused_.empty()) {
    tail_ = page_count();
    if (pages_.size() == pages_.capacity()) {
      // Not to twice its size: a page's state is long.
      pages_.reserve(pages_.size() + pages_.size() / 8 + 1);
      starts_.reserve(pages_.capacity());
    }
    pages_.emplace_back();
    starts_.push_back(nullptr);
  } else {
    tail_ = unused_.back();
    unused_.pop_back();
  }
  if (spare_.size() == 0) {
    spare_ = Buffer::Allocate(page_bytes());
    ++in_memory_;
  }
  starts_[tail_] = spare_.data();
  pages_[tail_].notes.begun = now_;
  pages_[tail_].memory = std::exchange(spare_, Buffer());
}

char* RowPages::Append(uint32_t* row) {
  if (tail_ == kNone || pages_[tail_].end == rows_per_page_) NewTail();
  PageState& page = pages_[tail_];
  const uint32_t number = First(tail_) + page.end++;
  if (page.marks != nullptr) SetMark(number, kThere);
  ++page.live;
  ++size_;
  if (row != nullptr) *row = number;
  return Mutable(number);
}

void RowPages::RemoveLast() {
  PageState& page = pages_[tail_];
  --size_;
  --page.live;
  if (page.marks != nullptr) SetMark(Last(), 0);
  do {
    --page.end;
  } while (page.end > 0 && !Exists(Last()));
  if (page.end > 0) return;
  // One empty page stays.
  if (spare_.size() == 0 && page.memory.Unique()) {
    spare_ = std::move(page.memory);
    ++in_memory_;
  }
  Drop(tail_);
  tail_ = kNone;
  if (order_.empty()) return;
  BecomeTail(order_.back());
  order_.pop_back();
}

void RowPages::BecomeTail(uint32_t page) {
  tail_ = page;
  while (!Exists(Last())) --pages_[page].end;
}

void RowPages::Keep(uint32_t page) {
  if (tail_ == kNone) return BecomeTail(page);
  order_.push_back(page);
}

// A page without rows.
void RowPages::Drop(uint32_t page) {
  PageState& state = pages_[page];
  in_memory_ -= starts_[page] != nullptr;
  marked_ -= state.marks != nullptr;
  if (state.sparse) sparse_.erase(std::find(sparse_.begin(), sparse_.end(), page));
  state = PageState();
  starts_[page] = nullptr;
  unused_.push_back(page);
}

StoredRows RowPages::Snapshot() const {
  const auto shown = std::make_shared<Shown>(watch_);
  Fragments rows(shown);
  for (uint32_t page = 0; page < page_count(); ++page) {
    const PageState& state = pages_[page];
    if (state.live == 0 || state.cold != nullptr) continue;
    shown->pages.push_back(state.memory);
    ForEachRun(page, [&](uint32_t first, uint32_t count) {
      rows.Append(starts_[page] + first * stride_, count * stride_);
    });
  }
  return {std::move(rows), AllCold([](const Notes&) { return true; })};
}

uint32_t RowPages::TakeOldest() {
  const uint32_t page = order_.front();
  order_.pop_front();
  return page;
}

RowPages::Leaving RowPages::Leave(std::vector<uint32_t> pages) {
  const auto shown = std::make_shared<Shown>(watch_);
  Leaving leaving;
  for (const uint32_t page : pages) {
    pages_[page].leaving = true;
    shown->pages.push_back(pages_[page].memory);
    leaving.bytes.push_back(starts_[page]);
  }
  leaving.pages = std::move(pages);
  leaving.shown = shown;
  leaving.of = watch_.get();
  return leaving;
}

void RowPages::MakeCold(const Leaving& leaving, absl::Span<const uint64_t> places,
                        const std::function<uint32_t(const char* row)>& mark) {
  for (size_t i = 0; i < leaving.pages.size(); ++i) {
    // Held at once, so that the place is free again if it is not wanted.
    auto cold = std::make_shared<const ColdPage>(store_, places[i], page_bytes());
    if (leaving.of != watch_.get()) continue;
    const uint32_t page = leaving.pages[i];
    PageState& state = pages_[page];
    state.leaving = false;
    if (state.live == 0) {
      Drop(page);
    } else if (starts_[page] != leaving.bytes[i]) {
      Keep(page);  // written to meanwhile
    } else {
      AddMarks(&state);
      ForEachRow(page, [&](uint32_t row, const char* bytes) { SetMark(row, kThere | mark(bytes)); });
      state.memory = Buffer();
      starts_[page] = nullptr;
      --in_memory_;
      state.cold = std::move(cold);
      cold_ += state.live;
    }
  }
}

void RowPages::Stay(const Leaving& leaving) {
  if (leaving.of != watch_.get()) return;
  for (const uint32_t page : leaving.pages) {
    pages_[page].leaving = false;
    if (pages_[page].live == 0) {
      Drop(page);
    } else {
      Keep(page);
    }
  }
}

void RowPages::SetMark(uint32_t row, uint32_t mark) {
  const size_t page = Page(row);
  unsigned char* const bytes = &pages_[page].marks[(row - First(page)) * kMarkBytes];
  for (size_t i = 0; i < kMarkBytes; ++i) bytes[i] = static_cast<unsigned char>(mark >> 8 * i);
}

void RowPages::AddMarks(PageState* page) {
  if (page->marks != nullptr) return;
  page->marks.reset(new unsigned char[rows_per_page_ * kMarkBytes]());
  ++marked_;
  for (uint32_t row = 0; row < page->end; ++row) page->marks[row * kMarkBytes + kMarkBytes - 1] = kThere >> 16;
}

void RowPages::Remove(uint32_t row) {
  const auto page = static_cast<uint32_t>(Page(row));
  PageState& state = pages_[page];
  AddMarks(&state);
  SetMark(row, 0);
  --size_;
  --state.live;
  if (state.cold == nullptr) return;
  --cold_;
  if (state.live == 0) {
    Drop(page);
  } else if (!state.sparse && state.live <= rows_per_page_ / 2) {
    state.sparse = true;
    sparse_.push_back(page);
  }
}

std::vector<uint32_t> RowPages::SparseRows(size_t most) const {
  size_t live = 0;
  for (const uint32_t page : sparse_) live += pages_[page].live;
  live = std::min(live, most) / rows_per_page_ * rows_per_page_;
  std::vector<uint32_t> rows;
  for (size_t i = 0; i < sparse_.size() && rows.size() < live; ++i) {
    const PageState& page = pages_[sparse_[i]];
    for (uint32_t row = First(sparse_[i]); row < First(sparse_[i]) + page.end && rows.size() < live; ++row) {
      if (MarkOf(page, row) != 0) rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace syncline
