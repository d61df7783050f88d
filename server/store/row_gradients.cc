#include "server/store/row_gradients.h"

#include <algorithm>

#include "common/optimizer/kernels.h"
#include "common/table/row_hash.h"

namespace syncline {
namespace {

constexpr uint32_t kFree = 0xffffffffu;

}  // namespace

RowSums::RowSums(absl::Span<const RowGradients> pushes, size_t dim) : dim_(dim) {
  size_t all = 0, largest = 0;
  for (const RowGradients& push : pushes) {
    all += push.keys.size();
    largest = std::max(largest, push.keys.size());
  }
  size_t places = 16;
  while (places < 2 * all) places *= 2;
  places_.assign(places, kFree);
  keys_.reserve(largest);
  sums_.reserve(largest * dim);
  for (const RowGradients& push : pushes) Add(push);
}

uint32_t* RowSums::PlaceOf(uint64_t key) {
  const size_t mask = places_.size() - 1;
  // Not the topmost bits of the hash: those a slot's keys have in common.
  size_t at = RowHash(key) & mask;
  while (places_[at] != kFree && keys_[places_[at]] != key) at = (at + 1) & mask;
  return &places_[at];
}

void RowSums::Add(const RowGradients& push) {
  FloatReader reader(*push.gradients);
  std::vector<float> scratch(dim_);
  for (const uint64_t key : push.keys) {
    const float* gradient = reader.Next(dim_, scratch.data());
    uint32_t* const place = PlaceOf(key);
    if (*place == kFree) {
      *place = static_cast<uint32_t>(keys_.size());
      keys_.push_back(key);
      sums_.resize(sums_.size() + dim_);
      ScaleInto(push.weight, gradient, &sums_[*place * dim_], dim_);
    } else {
      AddScaled(push.weight, gradient, &sums_[*place * dim_], dim_);
    }
  }
}

}  // namespace syncline
