#ifndef SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_
#define SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/codec/row_codec.h"
#include "common/table/packed_keys.h"
#include "common/table/slot_order.h"
#include "common/tensor/fragments.h"
#include "common/threads/parallel_for.h"

namespace syncline {

// Some rows of a table, put in the order of the table's slots, in which messages carry them. Once made it does not change
// (but see Scatter), hence it may be read from any thread; Fragments it gives share its ownership.
class SlotRows : public std::enable_shared_from_this<SlotRows> {
 public:
  struct Options {
    uint32_t slots = 1;
    size_t dim = 1;
    // Spreads the work over threads; may be null.
    ParallelFor spread{};
    // Gives memory, aligned to 8, for the keys and what lies with them. Where it is null or gives null: from the heap.
    std::function<std::shared_ptr<void>(size_t bytes)> allocate{};
  };
  // To pull `keys`, none twice, to `to` [keys, dim], which must stay until all of it has come.
  static std::shared_ptr<SlotRows> ToPull(const Options& options, absl::Span<const uint64_t> keys, float* to);
  // To push the gradients [keys, dim] of `keys`, none twice. Both are copied.
  static std::shared_ptr<const SlotRows> ToPush(const Options& options, absl::Span<const uint64_t> keys,
                                                const float* gradients);

  // Rows of a slot, and of all.
  size_t count(uint32_t slot) const { return begin(slot + 1) - begin(slot); }
  size_t count() const { return begin(order_.slots()); }
  size_t dim() const { return dim_; }
  absl::Span<const uint64_t> Keys(uint32_t slot) const { return {At<uint64_t>(keys_at(slot)), count(slot)}; }
  // As they go over the network (common/table/packed_keys.h).
  std::string PackedKeys(uint32_t slot) const { return PackKeys(Keys(slot), slot, order_.slots()); }
  // Float32 [count(slot), dim]. Of rows to push.
  Fragments Gradients(uint32_t slot) const;
  // Puts the rows of a slot, [count(slot), dim] as `codec` writes them, to their places. Slots may come on several threads.
  // INTERNAL if their size is another, or rows have no such codec.
  absl::Status Scatter(uint32_t slot, const Fragments& rows, Codec codec = CODEC_NONE) const;

  // Where it all lies: the keys by slot, and by them the gradients of rows to push, or of rows to pull their places in
  // to(), uint32 each.
  absl::Span<const char> memory() const { return {static_cast<const char*>(memory_.get()), bytes_}; }
  size_t keys_at(uint32_t slot) const { return begin(slot) * sizeof(uint64_t); }
  size_t gradients_at(uint32_t slot) const { return count() * sizeof(uint64_t) + begin(slot) * dim_ * sizeof(float); }
  size_t places_at(uint32_t slot) const { return count() * sizeof(uint64_t) + begin(slot) * sizeof(uint32_t); }
  // [count(), dim]; null for rows to push.
  float* to() const { return to_; }

 private:
  // `each`: bytes beside a key.
  SlotRows(const Options& options, absl::Span<const uint64_t> keys, size_t each);
  size_t begin(uint32_t slot) const { return order_.begin(slot); }
  template <typename T>
  T* At(size_t offset) const {
    return reinterpret_cast<T*>(static_cast<char*>(memory_.get()) + offset);
  }

  const size_t dim_;
  const SlotOrder order_;
  const size_t bytes_;
  const std::shared_ptr<void> memory_;
  float* to_ = nullptr;
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_SLOT_ROWS_H_
