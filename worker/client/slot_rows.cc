#include "worker/client/slot_rows.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/tensor/buffer.h"

namespace syncline {
namespace {

std::shared_ptr<void> FromHeap(size_t bytes) {
  const auto buffer = std::make_shared<Buffer>(Buffer::Allocate(bytes));
  return std::shared_ptr<void>(buffer, buffer->data());
}

std::shared_ptr<void> MemoryFor(const SlotRows::Options& options, size_t bytes) {
  if (bytes == 0) return nullptr;
  std::shared_ptr<void> memory = options.allocate == nullptr ? nullptr : options.allocate(bytes);
  return memory == nullptr ? FromHeap(bytes) : memory;
}

}  // namespace

SlotRows::SlotRows(const Options& options, absl::Span<const uint64_t> keys, size_t each)
    : dim_(options.dim),
      order_(keys, options.slots, options.spread),
      bytes_(keys.size() * (sizeof(uint64_t) + each)),
      memory_(MemoryFor(options, bytes_)) {}

std::shared_ptr<SlotRows> SlotRows::ToPull(const Options& options, absl::Span<const uint64_t> keys, float* to) {
  std::shared_ptr<SlotRows> rows(new SlotRows(options, keys, sizeof(uint32_t)));
  rows->to_ = to;
  uint64_t* const own = rows->At<uint64_t>(0);
  uint32_t* const places = rows->At<uint32_t>(rows->places_at(0));
  rows->order_.Arrange(options.spread, [&](size_t i, uint32_t at) {
    own[at] = keys[i];
    places[at] = static_cast<uint32_t>(i);
  });
  return rows;
}

std::shared_ptr<const SlotRows> SlotRows::ToPush(const Options& options, absl::Span<const uint64_t> keys,
                                                 const float* gradients) {
  const size_t dim = options.dim, row_bytes = dim * sizeof(float);
  std::shared_ptr<SlotRows> rows(new SlotRows(options, keys, row_bytes));
  uint64_t* const own = rows->At<uint64_t>(0);
  float* const to = rows->At<float>(rows->gradients_at(0));
  if (dim == 1) {
    rows->order_.Arrange(options.spread, [&](size_t i, uint32_t at) {
      own[at] = keys[i];
      to[at] = gradients[i];
    });
    return rows;
  }
  rows->order_.Arrange(options.spread, [&](size_t i, uint32_t at) {
    own[at] = keys[i];
    std::memcpy(to + at * dim, gradients + i * dim, row_bytes);
  });
  return rows;
}

Fragments SlotRows::Gradients(uint32_t slot) const {
  return Fragments::Of(At<char>(gradients_at(slot)), count(slot) * dim_ * sizeof(float), shared_from_this());
}

absl::Status SlotRows::Scatter(uint32_t slot, const Fragments& rows, Codec codec) const {
  const size_t row_bytes = dim_ * sizeof(float);
  const size_t bytes = CodesRows(codec) ? count(slot) * EncodedRowBytes(codec, dim_) : 0;
  if (rows.size() != bytes) {
    return absl::InternalError(absl::StrCat("slot ", slot, " came with ", rows.size(), " bytes of ", Codec_Name(codec),
                                            " instead of ", bytes));
  }
  if (codec > CODEC_NONE) {
    Buffer floats = Buffer::Allocate(count(slot) * row_bytes);
    DecodeRows(codec, rows, count(slot), dim_, floats.floats());
    return Scatter(slot, floats.Share());
  }
  FloatReader reader(rows);
  const uint32_t* const places = At<uint32_t>(places_at(slot));
  for (size_t i = 0; i < count(slot); ++i) {
    reader.Copy(row_bytes, reinterpret_cast<char*>(to_ + places[i] * dim_));
  }
  return absl::OkStatus();
}

}  // namespace syncline
