// How rows of a RowSlot leave memory and come back.

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "common/status/status_macros.h"
#include "server/store/row_slot.h"

namespace syncline {

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

// Second chance (Corbato 1968), a page at a time and with the numbers of updates in place of bits. A row was touched
// lately if it was in the later half of the time since its page was filled or last looked at: one that came to be
// touched once is not.
RowPages::Leaving RowSlot::Leave(size_t most) {
  std::vector<uint32_t> leaving;
  const auto now = static_cast<uint32_t>(version_);
  std::vector<std::pair<uint32_t, const char*>> lately;
  for (size_t left = pages_.waiting(); left > 0 && leaving.size() < most; --left) {
    const uint32_t page = pages_.TakeOldest();
    RowPages::Notes& notes = pages_.notes(page);
    const uint32_t half = (now - notes.seen) / 2;
    uint32_t least = 0xffffffffu, greatest = 0;  // ages
    lately.clear();
    pages_.ForEachRow(page, [&](uint32_t number, const char* row) {
      const uint32_t age = now - RowFormat::Changed(row);
      if (age < half) {
        lately.emplace_back(number, row);
        return;
      }
      least = std::min(least, age);
      greatest = std::max(greatest, age);
    });
    notes = {now, now - greatest, now - least};
    if (2 * lately.size() >= pages_.rows(page)) {
      pages_.Keep(page);
      continue;
    }
    for (const auto& [number, row] : lately) Move(RowFormat::Key(row), row, number);
    leaving.push_back(page);
  }
  return pages_.Leave(std::move(leaving));
}

void RowSlot::Left(const RowPages::Leaving& pages, absl::Span<const uint64_t> places) {
  if (places.empty()) return pages_.Stay(pages);
  pages_.MakeCold(pages, places, [](const char* row) { return RowIndex::MarkOf(RowFormat::Key(row)); });
}

absl::Status RowSlot::Compact() {
  ColdReads reads;
  std::vector<uint32_t> numbers;
  for (const uint32_t page : pages_.TakeSparse()) {
    pages_.ForEachRow(page, [&](uint32_t number, const char*) {
      const RowPages::ColdRow row = pages_.Cold(number);
      reads.Add(row.page, row.offset, format_.stride());
      numbers.push_back(number);
    });
  }
  if (numbers.empty()) return absl::OkStatus();
  SYNCLINE_RETURN_IF_ERROR(reads.Run(pages_.store().get()));
  for (const uint32_t number : numbers) {
    const RowPages::ColdRow cold = pages_.Cold(number);
    const char* const row = reads.Find(cold.page.get(), cold.offset);
    Move(RowFormat::Key(row), row, number);
  }
  return absl::OkStatus();
}

uint32_t RowSlot::FindAnywhere(uint64_t key) const {
  uint32_t found = index_.Find(pages_, key);
  if (found != RowIndex::kNoRow || pages_.cold() == 0) return found;
  index_.ForEachCold(pages_, key, [&](uint32_t number) {
    const RowPages::ColdRow row = pages_.Cold(number);
    if (RowFormat::Key(row.page->view() + row.offset) == key) found = number;
  });
  return found;
}

}  // namespace syncline
