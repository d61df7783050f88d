#ifndef SYNCLINE_COMMON_HASH_FEATURE_KEY_H_
#define SYNCLINE_COMMON_HASH_FEATURE_KEY_H_

#include <cstdint>

#include "absl/strings/string_view.h"
#include "common/hash/xxh64.h"

namespace syncline {

// Stands for no key at all: a row of zeros, and no gradient.
constexpr uint64_t kNoKey = 0;

// The keys of a categorical field's values, by which tables know their rows: XXH64 of the value, seeded with that of
// the field's name, so that equal values of different fields differ. A missing value is the empty text. These numbers
// never change: checkpoints hold them.
class FieldKeys {
 public:
  explicit FieldKeys(absl::string_view field) : seed_(Xxh64(field, 0)) {}

  uint64_t Key(absl::string_view value) const {
    const uint64_t hash = Xxh64(value, seed_);
    return hash == kNoKey ? 1 : hash;
  }

 private:
  uint64_t seed_;
};

inline uint64_t FeatureKey(absl::string_view field, absl::string_view value) { return FieldKeys(field).Key(value); }

}  // namespace syncline

#endif  // SYNCLINE_COMMON_HASH_FEATURE_KEY_H_
