#include "common/codec/codec.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "common/codec/kernels.h"
#include "common/optimizer/kernels.h"

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

constexpr size_t kTopkEntry = sizeof(uint16_t) + sizeof(float);
constexpr size_t kMostOfTopk = kTopkBlock / kTopkShare;

// How many of `n` numbers in one block topk keeps.
size_t KeptOf(size_t n) { return n == 0 ? 0 : std::max<size_t>(n / kTopkShare, 1); }

void EncodeInTopk(const float* values, size_t n, char* out) {
  uint16_t places[kMostOfTopk];
  float kept[kMostOfTopk];
  for (size_t begin = 0; begin < n; begin += kTopkBlock) {
    const size_t count = std::min(kTopkBlock, n - begin);
    const size_t k = KeptOf(count);
    ToTopk(values + begin, count, k, places, kept);
    std::memcpy(out, places, k * sizeof(uint16_t));
    std::memcpy(out + k * sizeof(uint16_t), kept, k * sizeof(float));
    out += k * kTopkEntry;
  }
}

void EncodeInOneBit(const float* values, size_t n, char* out) {
  uint8_t bits[kOneBitBlock / 8];
  for (size_t begin = 0; begin < n; begin += kOneBitBlock) {
    const size_t count = std::min(kOneBitBlock, n - begin);
    const float size = ToOneBit(values + begin, count, bits);
    std::memcpy(out, &size, sizeof(size));
    std::memcpy(out + sizeof(size), bits, (count + 7) / 8);
    out += sizeof(size) + (count + 7) / 8;
  }
}

void DecodeInt8(const char* from, size_t n, float* out) {
  for (size_t begin = 0; begin < n; begin += kInt8Block) {
    const size_t count = std::min(kInt8Block, n - begin);
    float scale;
    std::memcpy(&scale, from, sizeof(scale));
    FromInt8(scale, reinterpret_cast<const int8_t*>(from + sizeof(scale)), count, out + begin);
    from += sizeof(scale) + count;
  }
}

// Places that are not in the block are passed by: WellFormed has refused them before anything counts.
void DecodeTopk(const char* from, size_t n, float* out) {
  const size_t k = KeptOf(n);
  uint16_t places[kMostOfTopk];
  float kept[kMostOfTopk];
  std::memcpy(places, from, k * sizeof(uint16_t));
  std::memcpy(kept, from + k * sizeof(uint16_t), k * sizeof(float));
  std::fill_n(out, n, 0.0f);
  for (size_t i = 0; i < k; ++i) {
    if (places[i] < n) out[places[i]] = kept[i];
  }
}

void DecodeOneBit(const char* from, size_t n, float* out) {
  for (size_t begin = 0; begin < n; begin += kOneBitBlock) {
    const size_t count = std::min(kOneBitBlock, n - begin);
    float size;
    std::memcpy(&size, from, sizeof(size));
    FromOneBit(size, reinterpret_cast<const uint8_t*>(from + sizeof(size)), count, out + begin);
    from += sizeof(size) + (count + 7) / 8;
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
    case TOPK:
      return (n / kTopkBlock * KeptOf(kTopkBlock) + KeptOf(n % kTopkBlock)) * kTopkEntry;
    case ONEBIT:
      return (n + 7) / 8 + (n + kOneBitBlock - 1) / kOneBitBlock * sizeof(float);
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
    case TOPK:
      return EncodeInTopk(values, n, out);
    case ONEBIT:
      return EncodeInOneBit(values, n, out);
    default:
      std::memcpy(out, values, n * sizeof(float));
  }
}

void EncodeWithFeedback(Codec codec, const float* values, size_t n, uint64_t seed, float* held_back,
                        char* out) {
  AddScaled(1, values, held_back, n);
  EncodeFloats(codec, held_back, n, seed, out);
  const Fragments encoded = Fragments::Of(out, EncodedBytes(codec, n));
  FloatDecoder decoder(codec, encoded);
  alignas(64) float block[kBlock];
  bool finite = true;
  for (size_t begin = 0; begin < n; begin += kBlock) {
    const size_t count = std::min(kBlock, n - begin);
    AddScaled(-1, decoder.Next(count, block), held_back + begin, count);
    finite = finite && AllFinite(held_back + begin, count);
  }
  if (!finite) std::fill_n(held_back, n, 0.0f);
}

bool WellFormed(Codec codec, const Fragments& encoded, size_t n) {
  if (codec != TOPK) return true;
  FloatReader bytes(encoded);
  char block[kMostOfTopk * kTopkEntry];
  for (size_t begin = 0; begin < n; begin += kTopkBlock) {
    const size_t count = std::min(kTopkBlock, n - begin);
    const size_t k = KeptOf(count);
    bytes.Copy(k * kTopkEntry, block);
    uint16_t places[kMostOfTopk];
    std::memcpy(places, block, k * sizeof(uint16_t));
    const bool ascending = std::adjacent_find(places, places + k, std::greater_equal<>()) == places + k;
    if (!ascending || places[k - 1] >= count) return false;
  }
  return true;
}

const float* FloatDecoder::Next(size_t count, float* scratch) {
  if (codec_ <= CODEC_NONE) return bytes_.Next(count, scratch);
  alignas(64) char encoded[kBlock * sizeof(float)];
  bytes_.Copy(EncodedBytes(codec_, count), encoded);
  switch (codec_) {
    case FP16:
      FromHalf(reinterpret_cast<const uint16_t*>(encoded), count, scratch);
      break;
    case BF16:
      FromBfloat(reinterpret_cast<const uint16_t*>(encoded), count, scratch);
      break;
    case INT8:
      DecodeInt8(encoded, count, scratch);
      break;
    case TOPK:
      DecodeTopk(encoded, count, scratch);
      break;
    default:
      DecodeOneBit(encoded, count, scratch);
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
