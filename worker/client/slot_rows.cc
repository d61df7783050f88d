#include "worker/client/slot_rows.h"

#include <cstring>

#include "absl/strings/str_cat.h"

namespace syncline {

std::shared_ptr<SlotRows> SlotRows::ToPull(uint32_t slots, size_t dim, absl::Span<const uint64_t> keys,
                                           float* to) {
  std::shared_ptr<SlotRows> rows(new SlotRows(slots, dim, keys));
  rows->to_ = to;
  return rows;
}

std::shared_ptr<const SlotRows> SlotRows::ToPush(uint32_t slots, size_t dim, absl::Span<const uint64_t> keys,
                                                 const float* gradients) {
  std::shared_ptr<SlotRows> rows(new SlotRows(slots, dim, keys));
  rows->gradients_.resize(keys.size() * dim);
  float* to = rows->gradients_.data();
  for (const uint32_t place : rows->keys_.places()) {
    std::memcpy(to, gradients + place * dim, dim * sizeof(float));
    to += dim;
  }
  return rows;
}

Fragments SlotRows::Keys(uint32_t slot) const {
  return Fragments::Of(keys_.keys(slot).data(), count(slot) * sizeof(uint64_t), shared_from_this());
}

Fragments SlotRows::Gradients(uint32_t slot) const {
  return Fragments::Of(gradients_.data() + keys_.begin(slot) * dim_, count(slot) * dim_ * sizeof(float),
                       shared_from_this());
}

absl::Status SlotRows::Scatter(uint32_t slot, const Fragments& rows) const {
  const size_t row_bytes = dim_ * sizeof(float);
  if (rows.size() != count(slot) * row_bytes) {
    return absl::InternalError(absl::StrCat("slot ", slot, " came with ", rows.size(), " bytes instead of ",
                                            count(slot) * row_bytes));
  }
  FloatReader reader(rows);
  for (const uint32_t place : keys_.places(slot)) {
    reader.Copy(row_bytes, reinterpret_cast<char*>(to_ + place * dim_));
  }
  return absl::OkStatus();
}

}  // namespace syncline
