#include "server/shard/chunk_checks.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/table/row_hash.h"
#include "common/cluster/tables.h"
#include "common/codec/codec.h"
#include "common/codec/row_codec.h"
#include "common/optimizer/kernels.h"
#include "common/status/status_macros.h"
#include "common/tensor/keys.h"

namespace syncline {
namespace {

// Looks at the bytes where the network left them; only floats that are split between two pieces are
// put together.
bool IsFinite(const Fragments& data) {
  char split[sizeof(float)];
  size_t have = 0;  // bytes in `split`
  for (const Fragments::Piece& piece : data.pieces()) {
    const char* from = piece.data;
    size_t left = piece.size;
    while (have > 0 && left > 0) {
      split[have++] = *from++;
      --left;
      if (have < sizeof(split)) continue;
      if (!AllFinite(split, 1)) return false;
      have = 0;
    }
    const size_t whole = left / sizeof(float);
    if (!AllFinite(from, whole)) return false;
    for (from += whole * sizeof(float), left %= sizeof(float); left > 0; --left) {
      split[have++] = *from++;
    }
  }
  return true;
}

std::string Named(const TensorSpec& tensor, const ChunkInfo& info) {
  return absl::StrCat(IsTable(tensor) ? "slot " : "chunk ", info.id,
                      IsTable(tensor) ? " of table " : " of tensor ", tensor.name());
}

}  // namespace

absl::Status CheckKeys(const TensorSpec& tensor, const ChunkInfo& info, const Fragments& keys) {
  if (!IsTable(tensor)) {
    if (keys.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat("keys: ", Named(tensor, info), " has no rows; keys are for tables"));
  }
  if (keys.size() % sizeof(uint64_t) != 0) {
    return absl::InvalidArgumentError(absl::StrCat("keys: ", keys.size(), " bytes for ",
                                                   Named(tensor, info), " are no whole keys of 8 bytes"));
  }
  const uint32_t slot = static_cast<uint32_t>(info.begin);
  const uint32_t slots = tensor.table().slots();
  const Keys all(keys);
  for (const uint64_t key : all.get()) {
    if (SlotOfKey(key, slots) == slot) continue;
    return absl::InvalidArgumentError(absl::StrCat("keys: ", key, " belongs to slot ", SlotOfKey(key, slots),
                                                   " of table ", tensor.name(), ", not to ", slot));
  }
  return absl::OkStatus();
}

size_t GradientElements(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient) {
  if (!IsTable(tensor)) return info.elements;
  return gradient.keys.size() / sizeof(uint64_t) * tensor.table().dim();
}

absl::Status CheckGradient(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient) {
  SYNCLINE_RETURN_IF_ERROR(CheckKeys(tensor, info, gradient.keys));
  const size_t elements = GradientElements(tensor, info, gradient);
  if (IsTable(tensor) && NeedsFeedback(gradient.codec)) {
    return absl::InvalidArgumentError(absl::StrCat("codec: gradients of ", Named(tensor, info),
                                                   " come as none, fp16, bf16 or int8, and nothing else"));
  }
  const size_t bytes = IsTable(tensor) ? gradient.keys.size() / sizeof(uint64_t) *
                                             EncodedRowBytes(gradient.codec, tensor.table().dim())
                                       : EncodedBytes(gradient.codec, elements);
  if (gradient.data.size() != bytes) {
    return absl::InvalidArgumentError(absl::StrCat(Named(tensor, info), " has ", bytes, " bytes, the push ",
                                                   gradient.data.size()));
  }
  if (WellFormed(gradient.codec, gradient.data, elements)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(Named(tensor, info), ": its ", Codec_Name(gradient.codec),
                                                 " places do not ascend within the block"));
}

bool IsFinite(const TensorSpec& tensor, const ChunkInfo& info, const ChunkGradient& gradient) {
  if (gradient.codec <= CODEC_NONE) return IsFinite(gradient.data);
  FloatDecoder decoder(gradient.codec, gradient.data);
  alignas(64) float block[FloatDecoder::kMaxBlock];
  const size_t elements = GradientElements(tensor, info, gradient);
  // What is coded by itself.
  const size_t unit = IsTable(tensor) ? tensor.table().dim() : elements;
  for (size_t begin = 0; begin < elements;) {
    const size_t count = std::min(FloatDecoder::kMaxBlock, unit - begin % unit);
    if (!AllFinite(decoder.Next(count, block), count)) return false;
    begin += count;
  }
  return true;
}

}  // namespace syncline
