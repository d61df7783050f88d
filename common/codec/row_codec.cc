#include "common/codec/row_codec.h"

#include <algorithm>

namespace syncline {
namespace {

// Steps of a seed from row to row (the golden ratio's, as in SplitMix64).
constexpr uint64_t kNextSeed = 0x9e3779b97f4a7c15u;

}  // namespace

void EncodeRows(Codec codec, const float* rows, size_t count, size_t dim, uint64_t seed, char* out) {
  // Of the others a number's code depends on itself alone.
  if (codec != INT8) return EncodeFloats(codec, rows, count * dim, seed, out);
  for (size_t row = 0; row < count; ++row) {
    EncodeFloats(codec, rows + row * dim, dim, seed + row * kNextSeed, out + row * EncodedRowBytes(codec, dim));
  }
}

void DecodeRows(Codec codec, const Fragments& encoded, size_t count, size_t dim, float* out) {
  if (codec != INT8) return DecodeFloats(codec, encoded, count * dim, out);
  FloatDecoder decoder(codec, encoded);
  for (float* const end = out + count * dim; out != end;) {
    for (size_t left = dim; left > 0;) {
      const size_t block = std::min(left, FloatDecoder::kMaxBlock);
      const float* const floats = decoder.Next(block, out);
      if (floats != out) std::copy_n(floats, block, out);
      out += block;
      left -= block;
    }
  }
}

}  // namespace syncline
