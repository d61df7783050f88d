#ifndef SYNCLINE_COMMON_HASH_XXH64_H_
#define SYNCLINE_COMMON_HASH_XXH64_H_

#include <cstdint>

#include "absl/strings/string_view.h"

namespace syncline {

// XXH64 (Collet, github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md): the same number for the same bytes and seed
// on every machine and for ever, so that it may be kept in files. Not for cryptography.
uint64_t Xxh64(absl::string_view bytes, uint64_t seed);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_HASH_XXH64_H_
