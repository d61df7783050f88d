// How rows of a RowSlot leave memory and come back.

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "server/store/page_cleaning.h"
#include "server/store/row_slot.h"

namespace syncline {
namespace {

// Pages that are looked at for each that leaves, and at least.
constexpr size_t kPagesForOne = 4, kFewestPages = 8;
// How many updates a row that was pulled is kept for, for its own to be among them: workers that are at it at a time.
constexpr uint32_t kAwaited = 16;
// Rows of which only the keys are read, at a time.
constexpr size_t kMostLookedAt = 4096;
// Pages at a time that are made of half empty ones.
constexpr size_t kMostCompacted = 4;

}  // namespace

bool RowSlot::FindCold(uint64_t key, ColdReads* cold) const {
  bool found = false;
  index_.ForEachCold(pages_, key, [&](uint32_t number) {
    const RowPages::ColdRow row = pages_.Cold(number);
    cold->Add(row.page, row.offset, format_.stride());
    found = true;
  });
  return found;
}

void RowSlot::FindCold(absl::Span<const uint64_t> keys, ColdReads* cold) const {
  if (cold == nullptr || pages_.cold() == 0) return;
  index_.ForEach(pages_, keys, sizeof(uint64_t), [&](size_t i, uint32_t number) {
    if (number == RowIndex::kNoRow) FindCold(keys[i], cold);
  });
}

absl::StatusOr<size_t> RowSlot::Fetch(absl::Span<const uint64_t> keys, const ColdReads& reads) {
  if (pages_.cold() == 0) return 0;
  std::vector<std::pair<uint32_t, uint64_t>> wanted;  // number and key, which may be another's
  ColdReads rest;
  index_.ForEach(pages_, keys, sizeof(uint64_t), [&](size_t i, uint32_t number) {
    if (number != RowIndex::kNoRow) return;
    index_.ForEachCold(pages_, keys[i], [&](uint32_t candidate) {
      wanted.emplace_back(candidate, keys[i]);
      const RowPages::ColdRow row = pages_.Cold(candidate);
      if (reads.Find(row.page.get(), row.offset) == nullptr) rest.Add(row.page, row.offset, format_.stride());
    });
  });
  if (!rest.empty()) SYNCLINE_RETURN_IF_ERROR(rest.Run(pages_.store().get()));
  std::sort(wanted.begin(), wanted.end());
  wanted.erase(std::unique(wanted.begin(), wanted.end()), wanted.end());
  std::vector<const char*> rows;
  for (const auto& [number, key] : wanted) {
    const RowPages::ColdRow row = pages_.Cold(number);
    const char* const read = reads.Find(row.page.get(), row.offset);
    rows.push_back(read != nullptr ? read : rest.Find(row.page.get(), row.offset));
  }
  size_t fetched = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (RowFormat::Key(rows[i]) != wanted[i].second) continue;
    Move(wanted[i].second, rows[i], wanted[i].first);
    ++fetched;
  }
  return fetched;
}

// A row that lies elsewhere, to the newest page.
void RowSlot::Move(uint64_t key, const char* row, uint32_t number) {
  uint32_t moved;
  std::memcpy(pages_.Append(&moved), row, format_.stride());
  index_.Renumber(key, number, moved);
  pages_.Remove(number);
}

void RowSlot::Exchange(uint32_t a, uint32_t b) {
  const uint64_t key_of_a = RowFormat::Key(At(a)), key_of_b = RowFormat::Key(At(b));
  pages_.Exchange(a, b);
  // Through a number that neither has, as both may lie side by side in the index.
  index_.Renumber(key_of_a, a, RowIndex::kNoRow);
  index_.Renumber(key_of_b, b, a);
  index_.Renumber(key_of_a, RowIndex::kNoRow, b);
}

RowPages::Leaving RowSlot::Leave(size_t most) {
  std::vector<uint32_t> leaving = ColdestPages(most);
  // Rows that cannot be read are there as before.
  if (const auto compacted = CompactedPages(); compacted.ok()) {
    leaving.insert(leaving.end(), compacted->begin(), compacted->end());
  }
  return pages_.Leave(std::move(leaving));
}

std::vector<uint32_t> RowSlot::ColdestPages(size_t most) {
  std::vector<uint32_t> pages, numbers;
  std::vector<PageOfRows> places;
  std::vector<float> worths;
  const auto now = static_cast<uint32_t>(version_);
  const auto look_at = [&](uint32_t page, uint32_t filled, bool stays) {
    const uint32_t begun = pages_.notes(page).begun;
    pages.push_back(page);
    places.push_back({numbers.size(), 0, stays});
    pages_.ForEachRow(page, [&](uint32_t number, const char* row) {
      const uint32_t changed = RowFormat::Changed(row);
      // It came to this page and was not updated since: it was pulled, and is about to be pushed.
      const bool awaited = static_cast<int32_t>(changed - begun) < 0 && now - filled < kAwaited;
      numbers.push_back(number);
      worths.push_back(awaited ? std::numeric_limits<float>::infinity()
                               : RowWorth(RowFormat::Updates(row), now - changed));
    });
    places.back().end = numbers.size();
  };
  const size_t looked_at = std::min(pages_.waiting(), std::max(kFewestPages, kPagesForOne * most));
  for (size_t i = 0; i < looked_at; ++i) {
    const uint32_t page = pages_.TakeOldest();
    look_at(page, pages_.notes(page).filled, false);
  }
  if (pages_.tail() != RowPages::kNone) look_at(pages_.tail(), now, true);
  const PageCleaning cleaning = CleanPages(places, worths, most);
  for (const auto& [hot, cold] : cleaning.exchanged) Exchange(numbers[hot], numbers[cold]);
  std::vector<uint32_t> leaving;
  for (size_t i = 0; i < looked_at; ++i) {
    const bool leaves = leaving.size() < cleaning.leaving.size() && cleaning.leaving[leaving.size()] == i;
    if (leaves) {
      leaving.push_back(pages[i]);
    } else {
      pages_.Keep(pages[i]);
    }
  }
  for (const uint32_t page : leaving) NoteAges(page);
  return leaving;
}

void RowSlot::NoteAges(uint32_t page) {
  const auto now = static_cast<uint32_t>(version_);
  uint32_t least = 0xffffffffu, greatest = 0;
  pages_.ForEachRow(page, [&](uint32_t, const char* row) {
    const uint32_t age = now - RowFormat::Changed(row);
    least = std::min(least, age);
    greatest = std::max(greatest, age);
  });
  pages_.notes(page).oldest = now - greatest;
  pages_.notes(page).newest = now - least;
}

absl::StatusOr<std::vector<uint32_t>> RowSlot::CompactedPages() {
  ColdReads reads;
  const std::vector<uint32_t> numbers = pages_.SparseRows(kMostCompacted * pages_.rows_per_page());
  for (const uint32_t number : numbers) {
    const RowPages::ColdRow row = pages_.Cold(number);
    reads.Add(row.page, row.offset, format_.stride());
  }
  std::vector<uint32_t> filled;
  if (numbers.empty()) return filled;
  SYNCLINE_RETURN_IF_ERROR(reads.Run(pages_.store().get()));
  const uint32_t tail = pages_.ExchangeTail(RowPages::kNone);
  for (size_t i = 0; i < numbers.size(); ++i) {
    const RowPages::ColdRow cold = pages_.Cold(numbers[i]);
    const char* const row = reads.Find(cold.page.get(), cold.offset);
    Move(RowFormat::Key(row), row, numbers[i]);
    if ((i + 1) % pages_.rows_per_page() == 0) filled.push_back(pages_.ExchangeTail(RowPages::kNone));
  }
  pages_.ExchangeTail(tail);
  for (const uint32_t page : filled) NoteAges(page);
  return filled;
}

void RowSlot::Left(const RowPages::Leaving& pages, absl::Span<const uint64_t> places) {
  if (places.empty()) return pages_.Stay(pages);
  pages_.MakeCold(pages, places, [](const char* row) { return RowIndex::MarkOf(RowFormat::Key(row)); });
}

absl::StatusOr<std::vector<uint32_t>> RowSlot::ColdNumbers(absl::Span<const uint64_t> keys, bool all_there) const {
  std::vector<uint32_t> numbers(keys.size(), RowIndex::kNoRow);
  if (pages_.cold() == 0) return numbers;
  for (size_t begin = 0; begin < keys.size(); begin += kMostLookedAt) {
    const absl::Span<const uint64_t> batch = keys.subspan(begin, kMostLookedAt);
    std::vector<std::pair<size_t, uint32_t>> looked_at;  // place among the keys, and a number that may be its row's
    ColdReads reads;
    index_.ForEach(pages_, batch, sizeof(uint64_t), [&](size_t i, uint32_t in_memory) {
      if (in_memory != RowIndex::kNoRow) return;
      const size_t first = looked_at.size();
      index_.ForEachCold(pages_, batch[i], [&](uint32_t number) { looked_at.emplace_back(begin + i, number); });
      if (all_there && looked_at.size() == first + 1) {
        numbers[begin + i] = looked_at.back().second;
        looked_at.pop_back();
      }
    });
    for (const auto& [i, number] : looked_at) {
      const RowPages::ColdRow row = pages_.Cold(number);
      reads.Add(row.page, row.offset, sizeof(uint64_t));
    }
    if (!reads.empty()) SYNCLINE_RETURN_IF_ERROR(reads.Run(pages_.store().get()));
    for (const auto& [i, number] : looked_at) {
      const RowPages::ColdRow row = pages_.Cold(number);
      if (RowFormat::Key(reads.Find(row.page.get(), row.offset)) == keys[i]) numbers[i] = number;
    }
  }
  return numbers;
}

}  // namespace syncline
