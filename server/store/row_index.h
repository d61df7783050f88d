#ifndef SYNCLINE_SERVER_STORE_ROW_INDEX_H_
#define SYNCLINE_SERVER_STORE_ROW_INDEX_H_

#include <emmintrin.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "absl/types/span.h"
#include "common/table/row_hash.h"
#include "server/store/row_pages.h"

namespace syncline {

// Finds the number of a key's row: a hash table with open addressing, probed with vector
// instructions.
//
// One cache line is a group of 12 rows: a byte of each one's hash, the tags, which are compared all
// at once (as in Abseil's Swiss tables), and the rows' numbers (as in Folly's F14, whose idea the
// counter is too: how many rows found this group full and went on to the next; a search ends where
// none did, so nothing is left behind where a row is erased). The key itself is in the row, and is
// checked there.
//
// Rows that are cold (RowPages) are in it too, by their mark, which is the position that their hash has in a part: so
// the table grows without them, and few of them need to be read to see that they are another key's.
//
// The table is 32 parts of their own, by hash. A part that is 9/10 full grows by 1/9, so that a row
// takes 5.9 to 6.6 bytes, and no insertion waits for more than a thirty-second to be moved. Large parts grow at different
// times, so that the rows of all of them take 6.3 bytes each. It never shrinks.
//
// Searches go by batches, in which the memory accesses of many keys are under way together. Const
// methods may run together, others alone.
class RowIndex {
 public:
  static constexpr uint32_t kNoRow = 0xffffffffu;
  RowIndex();

  // Calls visit(i, number) for each key, in order, with the number of its row in `rows`, or kNoRow if it has none or
  // one that is cold.
  // The first `row_bytes` of that row, at least 8, have been asked for some keys before.
  template <typename Visit>
  void ForEach(const RowPages& rows, absl::Span<const uint64_t> keys, size_t row_bytes,
               const Visit& visit) const;
  uint32_t Find(const RowPages& rows, uint64_t key) const {
    return FindOne(rows, key, RowHash(key));
  }
  // Calls visit(number) for the cold rows that may be the key's: its own, if it is cold, and seldom another.
  template <typename Visit>
  void ForEachCold(const RowPages& rows, uint64_t key, const Visit& visit) const;
  // What the mark of the key's row is when it becomes cold.
  static uint32_t MarkOf(uint64_t key) { return PositionOf(RowHash(key)); }

  // Enters row `number`, which is in `rows`; its key must not be in the index.
  void Insert(const RowPages& rows, uint64_t key, uint32_t number);
  // Takes row `number` of this key out. It must be in the index.
  void Erase(uint64_t key, uint32_t number);
  // The row of this key, now `from`, becomes `to`.
  void Renumber(uint64_t key, uint32_t from, uint32_t to);

  size_t bytes() const;

 private:
  static constexpr size_t kParts = 32;
  static constexpr size_t kGroup = 12;

  struct alignas(64) Group {
    uint8_t tags[kGroup];  // 0: free
    uint32_t passed;       // rows of this group and those before that are in one after it
    uint32_t numbers[kGroup];
  };
  struct Part {
    std::unique_ptr<Group[]> groups;
    uint32_t count = 0;
    uint32_t rows = 0;
  };

  // A key that is being looked for.
  struct Search {
    uint64_t hash;
    const Group* group;  // where it may be
    uint32_t match;      // places of the group with its tag, from the one that is looked at on; kUnread: not known yet
    uint32_t number;     // of the row that is looked at; kNoRow once that is known to be another key's
    const char* row;     // null: none, or it is cold
  };
  static constexpr uint32_t kUnread = 0xffffffffu;
  // Searches under way together, and how often all that have not come to their end go a step on together.
  static constexpr size_t kBatch = 512;
  static constexpr int kRounds = 8;
  // Numbers of rows of several cache lines that are read before the rows are asked for; of short rows those of the batch.
  // The more, the less they wait for one another, and the more is asked for at once.
  static constexpr size_t kLongRun = 16;

  static size_t PartOf(uint64_t hash) { return hash >> 43 & (kParts - 1); }
  static uint8_t TagOf(uint64_t hash) {
    const uint8_t tag = hash & 0xff;
    return tag == 0 ? 0xff : tag;
  }
  static uint32_t PositionOf(uint64_t hash) {
    return static_cast<uint32_t>(hash >> 20 & ((1u << RowPages::kMarkBits) - 1));
  }
  static uint32_t FirstGroup(uint32_t position, uint32_t count) {
    return static_cast<uint32_t>(uint64_t{position} * count >> RowPages::kMarkBits);
  }
  // One bit of each place in the group that has this tag.
  static uint32_t Match(const Group& group, uint8_t tag) {
    const __m128i tags = _mm_load_si128(reinterpret_cast<const __m128i*>(&group));
    const __m128i equal = _mm_cmpeq_epi8(tags, _mm_set1_epi8(static_cast<char>(tag)));
    return static_cast<uint32_t>(_mm_movemask_epi8(equal)) & ((1u << kGroup) - 1);
  }
  static uint64_t KeyOf(const char* row) {
    uint64_t key;
    __builtin_memcpy(&key, row, sizeof(key));  // a row begins with its key
    return key;
  }

  // The steps of a search, between which what they ask for is on its way. FindKey says whether it has come to its end;
  // if not, FindNumber is next.
  void FindGroup(uint64_t key, Search* search) const;
  static void FindNumber(Search* search);
  static void FindRow(const RowPages& rows, size_t row_bytes, Search* search);
  bool FindKey(uint64_t key, Search* search) const;
  // Of kBatch keys at most.
  void FindAll(const RowPages& rows, absl::Span<const uint64_t> keys, size_t row_bytes, Search* searches) const;

  uint32_t FindOne(const RowPages& rows, uint64_t key, uint64_t hash) const;
  // Where a row is: calls visit(group) for the groups before it.
  template <typename Visit>
  uint32_t* Locate(uint64_t hash, uint32_t number, const Visit& visit, uint8_t** tag);
  static void Place(uint32_t position, uint8_t tag, uint32_t number, Part* part);
  void Grow(const RowPages& rows, Part* part);
  // Groups of the part once it has grown. All parts have about as many rows; from so many groups on their sizes differ, so
  // that they do not all grow at the same time.
  uint32_t GrownCount(const Part& part) const;
  static constexpr uint32_t kApart = 64;

  Part parts_[kParts];
};

template <typename Visit>
void RowIndex::ForEachCold(const RowPages& rows, uint64_t key, const Visit& visit) const {
  const uint64_t hash = RowHash(key);
  const uint32_t position = PositionOf(hash);
  const Part& part = parts_[PartOf(hash)];
  uint32_t at = FirstGroup(position, part.count);
  for (uint32_t left = part.count; left > 0; --left) {
    const Group& group = part.groups[at];
    for (uint32_t match = Match(group, TagOf(hash)); match != 0; match &= match - 1) {
      const uint32_t number = group.numbers[__builtin_ctz(match)];
      if (rows.At(number) == nullptr && rows.Mark(number) == position) visit(number);
    }
    if (group.passed == 0) return;
    at = at + 1 == part.count ? 0 : at + 1;
  }
}

template <typename Visit>
void RowIndex::ForEach(const RowPages& rows, absl::Span<const uint64_t> keys, size_t row_bytes,
                       const Visit& visit) const {
  Search searches[kBatch];
  for (size_t begin = 0; begin < keys.size(); begin += kBatch) {
    const absl::Span<const uint64_t> batch = keys.subspan(begin, kBatch);
    FindAll(rows, batch, row_bytes, searches);
    for (size_t i = 0; i < batch.size(); ++i) visit(begin + i, searches[i].number);
  }
}

}  // namespace syncline

#endif  // SYNCLINE_SERVER_STORE_ROW_INDEX_H_
