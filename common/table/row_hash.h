#ifndef SYNCLINE_COMMON_TABLE_ROW_HASH_H_
#define SYNCLINE_COMMON_TABLE_ROW_HASH_H_

#include <cstdint>

#include "common/hash/mix.h"

namespace syncline {

// Where the row of a key is: 64 bits, of which each user takes its own. Part of what checkpoints
// and shard maps mean, so it never changes.
//   63 … 48  the slot of the table
//   47 … 43  the part of the slot's index
//   42 … 11  the group in it
//    7 … 0   the tag in the group
__attribute__((always_inline)) inline uint64_t RowHash(uint64_t key) { return Mix(key); }

// Which of a table's `slots` (1 to 65536) holds the key.
__attribute__((always_inline)) inline uint32_t SlotOfHash(uint64_t hash, uint32_t slots) {
  return static_cast<uint32_t>((hash >> 48) * slots >> 16);
}
inline uint32_t SlotOfKey(uint64_t key, uint32_t slots) { return SlotOfHash(RowHash(key), slots); }

}  // namespace syncline

#endif  // SYNCLINE_COMMON_TABLE_ROW_HASH_H_
