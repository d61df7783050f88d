#include "common/codec/codec.h"

#include <algorithm>
#include <cstring>

#include "common/codec/kernels.h"

namespace syncline {
namespace {

constexpr size_t kBlock = FloatDecoder::kMaxBlock;

template <typename To16>
void EncodeIn16(const float* values, size_t n, const To16& to_16, char* out) {
  alignas(64) uint16_t block[kBlock];
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t count = std::min(kBlock, n - begin);
    to_16(values + begin, count, block);
    std::memcpy(out + begin * sizeof(uint16_t), block, count * sizeof(uint16_t));
  }
}

void EncodeInInt8(const float* values, size_t n, uint64_t seed, char* out) {
  int8_t block[kInt8Block];
  for (size_t begin = 0; begin < n; begin += kInt8Block) {
    const size_t count = std::min(kInt8Block, n - begin);
    const float scale = ToInt8(values + begin, count, seed, begin, block);
    std::memcpy(out, &scale, sizeof(scale));
    std::memcpy(out + sizeof(scale), block, count);
    out += sizeof(scale) + count;
  }
}

}  // namespace

size_t EncodedBytes(Codec codec, size_t n) {
  switch (codec) {
    case FP16:
    case BF16:
      return n * sizeof(uint16_t);
    case INT8:
      return n + (n + kInt8Block - 1) / kInt8Block * sizeof(float);
    default:
      return n * sizeof(float);
  }
}

void EncodeFloats(Codec codec, const float* values, size_t n, uint64_t seed, char* out) {
  switch (codec) {
    case FP16:
      return EncodeIn16(values, n, ToHalf, out);
    case BF16:
      return EncodeIn16(values, n, ToBfloat, out);
    case INT8:
      return EncodeInInt8(values, n, seed, out);
    default:
      std::memcpy(out, values, n * sizeof(float));
  }
}

const float* FloatDecoder::Next(size_t count, float* scratch) {
  if (codec_ <= CODEC_NONE) return bytes_.Next(count, scratch);
  alignas(64) char encoded[kBlock * sizeof(float)];
  bytes_.Copy(EncodedBytes(codec_, count), encoded);
  if (codec_ == FP16) FromHalf(reinterpret_cast<const uint16_t*>(encoded), count, scratch);
  if (codec_ == BF16) FromBfloat(reinterpret_cast<const uint16_t*>(encoded), count, scratch);
  if (codec_ != INT8) return scratch;
  const char* from = encoded;
  for (size_t begin = 0; begin < count; begin += kInt8Block) {
    const size_t n = std::min(kInt8Block, count - begin);
    float scale;
    std::memcpy(&scale, from, sizeof(scale));
    FromInt8(scale, reinterpret_cast<const int8_t*>(from + sizeof(scale)), n, scratch + begin);
    from += sizeof(scale) + n;
  }
  return scratch;
}

void DecodeFloats(Codec codec, const Fragments& encoded, size_t n, float* out) {
  if (codec <= CODEC_NONE) {
    return FloatReader(encoded).Copy(n * sizeof(float), reinterpret_cast<char*>(out));
  }
  FloatDecoder decoder(codec, encoded);
  for (size_t begin = 0; begin < n; begin += kBlock) {
    decoder.Next(std::min(kBlock, n - begin), out + begin);
  }
}

}  // namespace syncline
