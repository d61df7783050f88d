#include "common/table/packed_keys.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/table/row_hash.h"

namespace syncline {
namespace {

constexpr uint32_t kWhole = 8;
constexpr uint32_t kHashes = 9;
constexpr size_t kHashBytes = 7;

// RowHash, undone.
uint64_t KeyOfHash(uint64_t x) {
  x = (x ^ (x >> 31) ^ (x >> 62)) * 0x319642b2d24d8ec3u;
  x = (x ^ (x >> 27) ^ (x >> 54)) * 0x96de1b173f119089u;
  return (x ^ (x >> 30) ^ (x >> 60)) - kMixStep;
}

uint64_t LeastHash(uint32_t slot, uint32_t slots) {
  return ((uint64_t{slot} << 16) + slots - 1) / slots << 48;
}

// Bytes that numbers up to this take.
size_t WidthOf(uint64_t most) {
  size_t width = 1;
  while (width < 8 && most >> (8 * width) != 0) ++width;
  return width;
}

// Eight bytes at a time: each overwrites what is too much of the one before, and the last has room behind it.
template <typename NumberOf>
std::string Pack(std::string head, absl::Span<const uint64_t> keys, size_t width, const NumberOf& number_of) {
  const size_t begin = head.size();
  head.resize(begin + keys.size() * width + sizeof(uint64_t));
  char* to = &head[begin];
  for (const uint64_t key : keys) {
    const uint64_t number = number_of(key);
    std::memcpy(to, &number, sizeof(number));
    to += width;
  }
  head.resize(begin + keys.size() * width);
  return head;
}

template <typename KeyOf>
void Unpack(const char* from, size_t count, size_t width, uint64_t* keys, const KeyOf& key_of) {
  const uint64_t mask = width == 8 ? ~uint64_t{0} : (uint64_t{1} << (8 * width)) - 1;
  for (size_t i = 0; i < count; ++i, from += width) {
    uint64_t number = 0;
    // The last ones have less than eight bytes left.
    std::memcpy(&number, from, (count - i) * width >= sizeof(number) ? sizeof(number) : width);
    keys[i] = key_of(number & mask);
  }
}

}  // namespace

std::string PackKeys(absl::Span<const uint64_t> keys, uint32_t slot, uint32_t slots) {
  if (keys.empty()) return "";
  uint64_t least = keys[0], most = keys[0];
  for (const uint64_t key : keys) {
    least = std::min(least, key);
    most = std::max(most, key);
  }
  const size_t width = WidthOf(most - least);
  const bool hashes = slots >= 256;
  const size_t best_other = keys.size() * (hashes ? kHashBytes : kWhole);
  if (width < kWhole && sizeof(least) + keys.size() * width < best_other) {
    std::string head(1, static_cast<char>(width));
    head.append(reinterpret_cast<const char*>(&least), sizeof(least));
    return Pack(std::move(head), keys, width, [least](uint64_t key) { return key - least; });
  }
  if (!hashes) return Pack(std::string(1, kWhole), keys, kWhole, [](uint64_t key) { return key; });
  const uint64_t base = LeastHash(slot, slots);
  return Pack(std::string(1, kHashes), keys, kHashBytes, [base](uint64_t key) { return RowHash(key) - base; });
}

absl::StatusOr<Buffer> UnpackKeys(const Fragments& packed, uint32_t slot, uint32_t slots) {
  if (packed.empty()) return Buffer();
  std::vector<char> joined;
  const char* from = packed.pieces()[0].data;
  if (packed.pieces().size() > 1) {
    joined.resize(packed.size());
    FloatReader(packed).Copy(packed.size(), joined.data());
    from = joined.data();
  }
  const auto kind = static_cast<uint8_t>(from[0]);
  if (kind < 1 || kind > kHashes) {
    return absl::InvalidArgumentError(absl::StrCat("keys: they begin with ", kind, ", which is from 1 to ", kHashes));
  }
  const size_t width = kind == kHashes ? kHashBytes : kind;
  uint64_t least = 0;
  const size_t head = 1 + (kind < kWhole ? sizeof(least) : 0);
  if (packed.size() <= head || (packed.size() - head) % width != 0) {
    return absl::InvalidArgumentError(absl::StrCat("keys: after the first ", head, " of ", packed.size(),
                                                   " bytes come no whole keys of ", width, " bytes"));
  }
  if (kind < kWhole) std::memcpy(&least, from + 1, sizeof(least));
  const size_t count = (packed.size() - head) / width;
  // None comes twice, so a short message is never many keys.
  if (width < 4 && count > size_t{1} << (8 * width)) {
    return absl::InvalidArgumentError(absl::StrCat("keys: ", count, " are more than there are of ", width, " bytes"));
  }
  Buffer keys = Buffer::Allocate(count * sizeof(uint64_t));
  auto* const to = reinterpret_cast<uint64_t*>(keys.data());
  if (kind == kHashes) {
    const uint64_t base = LeastHash(slot, slots);
    Unpack(from + head, count, width, to, [base](uint64_t number) { return KeyOfHash(base + number); });
  } else {
    Unpack(from + head, count, width, to, [least](uint64_t number) { return least + number; });
  }
  return keys;
}

}  // namespace syncline
