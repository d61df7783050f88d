#include "worker/model/key_index.h"

#include <algorithm>

namespace syncline {

void KeyIndex::Begin(size_t most) {
  keys_.clear();
  size_t size = std::max<size_t>(table_.size(), 16);
  while (size < 2 * most) size *= 2;
  // Also after 2^32 - 1 batches, when the count begins again.
  if (size > table_.size() || ++batch_ == 0) {
    table_.assign(size, {});
    batch_ = 1;
    shift_ = 64 - __builtin_ctzll(size);
  }
}

}  // namespace syncline
