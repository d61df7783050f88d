#ifndef SYNCLINE_COMMON_TABLE_PACKED_KEYS_H_
#define SYNCLINE_COMMON_TABLE_PACKED_KEYS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "common/tensor/buffer.h"
#include "common/tensor/fragments.h"

namespace syncline {

// The keys of a slot as they go over the network, in the order of their rows; what is shortest of
//
//   packed = nothing                            no keys
//          | width(1) least(8) number(width)*   numbers are keys less the least one; width 1 to 7
//          | 8(1) key(8)*
//          | 9(1) number(7)*                    numbers are hashes (row_hash.h) less the least one of the slot
//
// all little-endian. So ids below 2^24 take 3 bytes each, and keys that are hashes 7, in a table of 256 slots or more.
// They are not sorted, which would save about one byte more: a byte takes 8 ns at 1 Gbit/s, sorting a key longer.
std::string PackKeys(absl::Span<const uint64_t> keys, uint32_t slot, uint32_t slots);

// The keys, 8 bytes each. INVALID_ARGUMENT, beginning with "keys:", for bytes that are no keys. Whether they belong to
// the slot is for the caller to check.
absl::StatusOr<Buffer> UnpackKeys(const Fragments& packed, uint32_t slot, uint32_t slots);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TABLE_PACKED_KEYS_H_
