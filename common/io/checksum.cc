#include "common/io/checksum.h"

#include <cstring>

#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace syncline {

#ifdef __SSE4_2__

uint32_t Crc32c(const void* data, size_t size, uint32_t previous) {
  const char* bytes = static_cast<const char*>(data);
  uint64_t crc = ~previous;
  for (; size >= 8; size -= 8, bytes += 8) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  uint32_t rest = static_cast<uint32_t>(crc);
  for (; size > 0; --size, ++bytes) rest = _mm_crc32_u8(rest, static_cast<uint8_t>(*bytes));
  return ~rest;
}

#else

uint32_t Crc32c(const void* data, size_t size, uint32_t previous) {
  const unsigned char* bytes = static_cast<const unsigned char*>(data);
  uint32_t crc = ~previous;
  for (size_t i = 0; i < size; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (crc & 1 ? 0x82f63b78u : 0);
  }
  return ~crc;
}

#endif

}  // namespace syncline
