#include "server/store/row_format.h"

#include <algorithm>

#include "common/codec/kernels.h"
#include "common/hash/mix.h"
#include "common/tensor/vectorise.h"

namespace syncline {
namespace {

constexpr size_t kDitherBlock = 256;

size_t WeightBytes(size_t dim, StoredAs storage) {
  switch (storage) {
    case StoredAs::kFloat32:
      return dim * sizeof(float);
    case StoredAs::kFloat16:
    case StoredAs::kBfloat16:
      return dim * sizeof(uint16_t);
    case StoredAs::kInt8:
      return sizeof(float) + dim;
  }
  return 0;
}

// Short runs of floats, for which a call of memcpy costs more than the copy.
void CopyFloats(const float* from, size_t n, float* to) {
  if (n >= 16) {
    std::memcpy(to, from, n * sizeof(float));
    return;
  }
  for (size_t i = 0; i < n; ++i) to[i] = from[i];
}

// Adds noise to the `bits` lowest bits and cuts them off: what is left needs no more rounding, and
// is right in the mean. NaN and infinity stay.
void Dither(const float* in, size_t n, uint64_t seed, uint64_t first, int bits, float* out) {
  const uint32_t mask = (1u << bits) - 1;
  Vectorise([=]() SYNCLINE_INLINE {
    _Pragma("omp simd") for (size_t i = 0; i < n; ++i) {
      const uint32_t noise = static_cast<uint32_t>(Mix(seed + (first + i) * kMixStep) >> 32) & mask;
      uint32_t value;
      __builtin_memcpy(&value, in + i, sizeof(value));
      const bool finite = (value & 0x7f800000u) != 0x7f800000u;
      value = finite ? (value + noise) & ~mask : value;
      __builtin_memcpy(out + i, &value, sizeof(value));
    }
  });
}

// Below the smallest normal number of fp16 its steps stay as wide as they are; ToHalf rounds those.
void WriteHalves(const float* weights, size_t dim, uint64_t seed, StoredAs storage,
                 uint16_t* to) {
  float dithered[kDitherBlock];
  for (size_t begin = 0; begin < dim; begin += kDitherBlock) {
    const size_t n = std::min(kDitherBlock, dim - begin);
    if (storage == StoredAs::kFloat16) {
      Dither(weights + begin, n, seed, begin, 13, dithered);
      ToHalf(dithered, n, to + begin);
    } else {
      Dither(weights + begin, n, seed, begin, 16, dithered);
      ToBfloat(dithered, n, to + begin);
    }
  }
}

}  // namespace

RowFormat::RowFormat(size_t dim, StoredAs storage, const RowRule& rule)
    : dim_(dim), storage_(storage), state_arrays_(rule.state_arrays()) {
  size_t end = kWeights + (WeightBytes(dim, storage) + 3) / 4 * 4;
  for (int array = 0; array < state_arrays_; ++array) {
    state_[array] = {end, rule.state_width(array, dim)};
    end += state_[array].width * sizeof(float);
  }
  stride_ = end;
}

size_t RowFormat::width() const {
  size_t width = dim_;
  for (int array = 0; array < state_arrays_; ++array) width += state_[array].width;
  return width;
}

void RowFormat::ReadWeights(const char* row, float* weights) const {
  const char* const from = row + kWeights;
  switch (storage_) {
    case StoredAs::kFloat32:
      return CopyFloats(reinterpret_cast<const float*>(from), dim_, weights);
    case StoredAs::kFloat16:
      return FromHalf(reinterpret_cast<const uint16_t*>(from), dim_, weights);
    case StoredAs::kBfloat16:
      return FromBfloat(reinterpret_cast<const uint16_t*>(from), dim_, weights);
    case StoredAs::kInt8:
      return FromInt8(Load<float>(from), reinterpret_cast<const int8_t*>(from + sizeof(float)),
                      dim_, weights);
  }
}

void RowFormat::WriteWeights(const float* weights, char* row) const {
  char* const to = row + kWeights;
  if (storage_ == StoredAs::kFloat32) {
    return CopyFloats(weights, dim_, reinterpret_cast<float*>(to));
  }
  const uint64_t seed = Mix(Key(row) ^ Mix(Updates(row)));
  // What is left of the last four bytes.
  std::memset(row + kWeights + (WeightBytes(dim_, storage_) - 1) / 4 * 4, 0, 4);
  if (storage_ == StoredAs::kInt8) {
    const float scale =
        ToInt8(weights, dim_, seed, 0, reinterpret_cast<int8_t*>(to + sizeof(float)));
    std::memcpy(to, &scale, sizeof(scale));
  } else {
    WriteHalves(weights, dim_, seed, storage_, reinterpret_cast<uint16_t*>(to));
  }
}

void RowFormat::ReadState(const char* row, int array, float* state) const {
  const StateArray& a = state_[array];
  CopyFloats(reinterpret_cast<const float*>(row + a.offset), a.width, state);
}

void RowFormat::WriteState(const float* state, int array, char* row) const {
  const StateArray& a = state_[array];
  CopyFloats(state, a.width, reinterpret_cast<float*>(row + a.offset));
}

}  // namespace syncline
