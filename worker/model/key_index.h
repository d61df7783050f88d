#ifndef SYNCLINE_WORKER_MODEL_KEY_INDEX_H_
#define SYNCLINE_WORKER_MODEL_KEY_INDEX_H_

#include <cstdint>
#include <vector>

#include "absl/types/span.h"

namespace syncline {

// Numbers the different keys of a batch from 0, in the order in which they first come. Memory is kept from batch to
// batch. Not thread-safe.
class KeyIndex {
 public:
  // Forgets all keys; there will be at most `most` different ones.
  void Begin(size_t most);
  // The number of a key.
  int32_t Add(uint64_t key) {
    size_t place = static_cast<size_t>(key * kSpread >> shift_);
    while (table_[place].batch == batch_) {
      if (table_[place].key == key) return table_[place].number;
      place = (place + 1) & (table_.size() - 1);
    }
    table_[place] = {key, batch_, static_cast<int32_t>(keys_.size())};
    keys_.push_back(key);
    return table_[place].number;
  }
  // The different keys by number. Valid until the next Add or Begin.
  absl::Span<const uint64_t> keys() const { return keys_; }

 private:
  // Fibonacci hashing (Knuth, volume 3, 6.4): keys need not be spread already.
  static constexpr uint64_t kSpread = 0x9e3779b97f4a7c15u;

  // An open hash table with linear probing, at most half full. What is of another batch is free.
  struct Slot {
    uint64_t key = 0;
    uint32_t batch = 0;
    int32_t number = 0;
  };

  std::vector<Slot> table_;
  int shift_ = 0;  // 64 less the logarithm of the table's size
  uint32_t batch_ = 0;
  std::vector<uint64_t> keys_;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_MODEL_KEY_INDEX_H_
