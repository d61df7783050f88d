#ifndef SYNCLINE_COMMON_CODEC_KERNELS_H_
#define SYNCLINE_COMMON_CODEC_KERNELS_H_

// The loops of the codecs. Arrays hold `n` elements and are aligned to them. Pure functions.

#include <cstddef>
#include <cstdint>

namespace syncline {

void ToHalf(const float* in, size_t n, uint16_t* out);
void FromHalf(const uint16_t* in, size_t n, float* out);

void ToBfloat(const float* in, size_t n, uint16_t* out);
void FromBfloat(const uint16_t* in, size_t n, float* out);

// One block; `first` is the position of its first element. Returns the scale.
float ToInt8(const float* in, size_t n, uint64_t seed, uint64_t first, int8_t* out);
void FromInt8(float scale, const int8_t* in, size_t n, float* out);

// One block of at most 65536: the `k` furthest from 0 (of equals the first), in order.
void ToTopk(const float* in, size_t n, size_t k, uint16_t* places, float* values);

// One block. Returns the mean size. `bits` has a byte for every 8 of `n`.
float ToOneBit(const float* in, size_t n, uint8_t* bits);
void FromOneBit(float size, const uint8_t* bits, size_t n, float* out);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CODEC_KERNELS_H_
