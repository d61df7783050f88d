#include "server/store/row_index.h"

#include <algorithm>
#include <utility>

namespace syncline {
RowIndex::RowIndex() {
  static_assert(sizeof(Group) == 64, "a group is a cache line");
  for (Part& part : parts_) {
    part.groups.reset(new Group[1]());
    part.count = 1;
  }
}

inline void RowIndex::FindGroup(uint64_t key, Search* search) const {
  search->hash = RowHash(key);
  const Part& part = parts_[PartOf(search->hash)];
  search->group = &part.groups[FirstGroup(PositionOf(search->hash), part.count)];
  search->match = kUnread;
  __builtin_prefetch(search->group);
}

// No branch here waits for the group; where no tag is the key's, any number will do.
inline void RowIndex::FindNumber(Search* search) {
  if (search->match == kUnread) search->match = Match(*search->group, TagOf(search->hash));
  search->number = search->group->numbers[__builtin_ctz(search->match | 1u << (kGroup - 1))];
}

inline void RowIndex::FindRow(const RowPages& rows, size_t row_bytes, Search* search) {
  search->row = search->match == 0 ? nullptr : rows.At(search->number);
  if (search->row != nullptr) RowPages::Prefetch(search->row, row_bytes);
}

inline bool RowIndex::FindKey(uint64_t key, Search* search) const {
  if (search->row != nullptr && KeyOf(search->row) == key) return true;
  search->number = kNoRow;
  search->match &= search->match - 1;
  if (search->match != 0) return false;
  if (search->group->passed == 0) return true;
  const Part& part = parts_[PartOf(search->hash)];
  const Group* const next = search->group + 1;
  search->group = next == &part.groups[part.count] ? &part.groups[0] : next;
  search->match = kUnread;
  __builtin_prefetch(search->group);
  return false;
}

// Each step has a loop of its own, so that what it waits for in memory is on its way for many keys at a time.
void RowIndex::FindAll(const RowPages& rows, absl::Span<const uint64_t> keys, size_t row_bytes,
                       Search* searches) const {
  for (size_t i = 0; i < keys.size(); ++i) FindGroup(keys[i], &searches[i]);
  rows.PrefetchPlaces(keys.size());
  const size_t run = row_bytes <= sizeof(Group) ? kBatch : kLongRun;
  for (size_t begin = 0; begin < keys.size(); begin += run) {
    const size_t end = std::min(begin + run, keys.size());
    for (size_t i = begin; i < end; ++i) FindNumber(&searches[i]);
    for (size_t i = begin; i < end; ++i) FindRow(rows, row_bytes, &searches[i]);
  }
  uint16_t going_on[kBatch];
  size_t left = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!FindKey(keys[i], &searches[i])) going_on[left++] = static_cast<uint16_t>(i);
  }
  for (int round = 0; left > 0 && round < kRounds; ++round) {
    for (size_t j = 0; j < left; ++j) FindNumber(&searches[going_on[j]]);
    for (size_t j = 0; j < left; ++j) FindRow(rows, row_bytes, &searches[going_on[j]]);
    const size_t searched = std::exchange(left, 0);
    for (size_t j = 0; j < searched; ++j) {
      const uint16_t i = going_on[j];
      if (!FindKey(keys[i], &searches[i])) going_on[left++] = i;
    }
  }
  for (size_t j = 0; j < left; ++j) {
    Search& search = searches[going_on[j]];
    search.number = FindOne(rows, keys[going_on[j]], search.hash);
  }
}

uint32_t RowIndex::FindOne(const RowPages& rows, uint64_t key, uint64_t hash) const {
  const Part& part = parts_[PartOf(hash)];
  const uint8_t tag = TagOf(hash);
  uint32_t at = FirstGroup(PositionOf(hash), part.count);
  // Erased rows may leave places in groups that others have passed, all around.
  for (uint32_t left = part.count; left > 0; --left) {
    const Group& group = part.groups[at];
    for (uint32_t match = Match(group, tag); match != 0; match &= match - 1) {
      const uint32_t number = group.numbers[__builtin_ctz(match)];
      const char* const row = rows.At(number);
      if (row != nullptr && KeyOf(row) == key) return number;
    }
    if (group.passed == 0) break;
    at = at + 1 == part.count ? 0 : at + 1;
  }
  return kNoRow;
}

void RowIndex::Place(uint32_t position, uint8_t tag, uint32_t number, Part* part) {
  for (uint32_t at = FirstGroup(position, part->count);; at = at + 1 == part->count ? 0 : at + 1) {
    Group& group = part->groups[at];
    const uint32_t free = Match(group, 0);
    if (free == 0) {
      ++group.passed;
      continue;
    }
    const int place = __builtin_ctz(free);
    group.tags[place] = tag;
    group.numbers[place] = number;
    ++part->rows;
    return;
  }
}

uint32_t RowIndex::GrownCount(const Part& part) const {
  const uint32_t next = part.count + std::max(1u, part.count / 9);
  const bool parts_ways = part.count < kApart && next >= kApart;
  return parts_ways ? next + next / 9 * static_cast<uint32_t>(&part - parts_) / kParts : next;
}

void RowIndex::Grow(const RowPages& rows, Part* part) {
  Part grown;
  grown.count = GrownCount(*part);
  grown.groups.reset(new Group[grown.count]());
  // Some groups ahead the keys are asked for, so that they are there when their turn comes.
  constexpr uint32_t kAhead = 4;
  const auto each_row = [part](uint32_t at, const auto& visit) {
    if (at >= part->count) return;
    const Group& group = part->groups[at];
    for (size_t place = 0; place < kGroup; ++place) {
      if (group.tags[place] != 0) visit(group.tags[place], group.numbers[place]);
    }
  };
  const auto prefetch = [&rows](uint8_t, uint32_t number) { __builtin_prefetch(rows.At(number)); };
  const auto move = [&rows, &grown](uint8_t tag, uint32_t number) {
    const char* const row = rows.At(number);
    Place(row == nullptr ? rows.Mark(number) : MarkOf(KeyOf(row)), tag, number, &grown);
  };
  for (uint32_t at = 0; at < kAhead; ++at) each_row(at, prefetch);
  for (uint32_t at = 0; at < part->count; ++at) {
    each_row(at + kAhead, prefetch);
    each_row(at, move);
  }
  *part = std::move(grown);
}

void RowIndex::Insert(const RowPages& rows, uint64_t key, uint32_t number) {
  const uint64_t hash = RowHash(key);
  Part& part = parts_[PartOf(hash)];
  if (part.rows >= part.count * (kGroup * 0.9)) Grow(rows, &part);
  Place(PositionOf(hash), TagOf(hash), number, &part);
}

template <typename Visit>
uint32_t* RowIndex::Locate(uint64_t hash, uint32_t number, const Visit& visit, uint8_t** tag) {
  Part& part = parts_[PartOf(hash)];
  for (uint32_t at = FirstGroup(PositionOf(hash), part.count);; at = at + 1 == part.count ? 0 : at + 1) {
    Group& group = part.groups[at];
    for (uint32_t match = Match(group, TagOf(hash)); match != 0; match &= match - 1) {
      const int place = __builtin_ctz(match);
      if (group.numbers[place] != number) continue;
      *tag = &group.tags[place];
      return &group.numbers[place];
    }
    visit(&group);
  }
}

void RowIndex::Erase(uint64_t key, uint32_t number) {
  const uint64_t hash = RowHash(key);
  uint8_t* tag;
  Locate(
      hash, number, [](Group* group) { --group->passed; }, &tag);
  *tag = 0;
  --parts_[PartOf(hash)].rows;
}

void RowIndex::Renumber(uint64_t key, uint32_t from, uint32_t to) {
  uint8_t* tag;
  *Locate(
      RowHash(key), from, [](Group*) {}, &tag) = to;
}

size_t RowIndex::bytes() const {
  size_t groups = 0;
  for (const Part& part : parts_) groups += part.count;
  return sizeof(*this) + groups * sizeof(Group);
}

}  // namespace syncline
