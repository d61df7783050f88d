#include "common/hash/xxh64.h"

#include <cstring>

namespace syncline {
namespace {

constexpr uint64_t kPrime1 = 0x9E3779B185EBCA87u;
constexpr uint64_t kPrime2 = 0xC2B2AE3D27D4EB4Fu;
constexpr uint64_t kPrime3 = 0x165667B19E3779F9u;
constexpr uint64_t kPrime4 = 0x85EBCA77C2B2AE63u;
constexpr uint64_t kPrime5 = 0x27D4EB2F165667C5u;

uint64_t Rotate(uint64_t x, int bits) { return x << bits | x >> (64 - bits); }

// Little-endian, as is every machine that this runs on.
template <typename T>
uint64_t Read(const char* from) {
  T value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

uint64_t Round(uint64_t lane, uint64_t input) { return Rotate(lane + input * kPrime2, 31) * kPrime1; }

uint64_t Merge(uint64_t hash, uint64_t lane) { return (hash ^ Round(0, lane)) * kPrime1 + kPrime4; }

// Of all stripes of 32 bytes.
uint64_t HashStripes(const char** p, const char* end, uint64_t seed) {
  uint64_t a = seed + kPrime1 + kPrime2, b = seed + kPrime2, c = seed, d = seed - kPrime1;
  for (; end - *p >= 32; *p += 32) {
    a = Round(a, Read<uint64_t>(*p));
    b = Round(b, Read<uint64_t>(*p + 8));
    c = Round(c, Read<uint64_t>(*p + 16));
    d = Round(d, Read<uint64_t>(*p + 24));
  }
  const uint64_t hash = Rotate(a, 1) + Rotate(b, 7) + Rotate(c, 12) + Rotate(d, 18);
  return Merge(Merge(Merge(Merge(hash, a), b), c), d);
}

}  // namespace

uint64_t Xxh64(absl::string_view bytes, uint64_t seed) {
  const char* p = bytes.data();
  const char* const end = p + bytes.size();
  uint64_t hash = bytes.size() >= 32 ? HashStripes(&p, end, seed) : seed + kPrime5;
  hash += bytes.size();
  for (; end - p >= 8; p += 8) hash = Rotate(hash ^ Round(0, Read<uint64_t>(p)), 27) * kPrime1 + kPrime4;
  for (; end - p >= 4; p += 4) hash = Rotate(hash ^ Read<uint32_t>(p) * kPrime1, 23) * kPrime2 + kPrime3;
  for (; p < end; ++p) hash = Rotate(hash ^ Read<uint8_t>(p) * kPrime5, 11) * kPrime1;
  hash = (hash ^ hash >> 33) * kPrime2;
  hash = (hash ^ hash >> 29) * kPrime3;
  return hash ^ hash >> 32;
}

}  // namespace syncline
