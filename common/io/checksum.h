#ifndef SYNCLINE_COMMON_IO_CHECKSUM_H_
#define SYNCLINE_COMMON_IO_CHECKSUM_H_

#include <cstddef>
#include <cstdint>

namespace syncline {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes that follow others whose checksum is
// `previous`: Crc32c(ab) == Crc32c(b, Crc32c(a)). Finds every error burst up to 32 bits.
//
// Our own, since it is x86-64-v2's crc32 instruction (8 bytes in 3 cycles, far above any disk);
// zlib's CRC-32 is several times slower and a library for this would be one more to install.
uint32_t Crc32c(const void* data, size_t size, uint32_t previous = 0);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_IO_CHECKSUM_H_
