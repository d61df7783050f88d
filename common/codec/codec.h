#ifndef SYNCLINE_COMMON_CODEC_CODEC_H_
#define SYNCLINE_COMMON_CODEC_CODEC_H_

#include <cstddef>
#include <cstdint>

#include "common/tensor/fragments.h"
#include "proto/job.pb.h"

namespace syncline {

// Fewer bytes for the numbers of a tensor, on their way between worker and shard. `n` floats become:
//
//   none  n float32
//   fp16  n IEEE half precision, rounded to nearest; beyond ±65504: that
//   bf16  n of the upper half of float32, rounded to nearest
//   int8  blocks of kInt8Block numbers (the last may be shorter): a float32 scale, then an int8 each;
//         number = scale * int8. Rounded up or down at random so that the mean is right (QSGD,
//         arXiv 1610.02132), by a generator that depends on `seed` and the position alone.
//
//   topk    blocks of kTopkBlock numbers: of each, the one in kTopkShare furthest from 0 (at least one):
//           a uint16 each, where in the block, ascending, then a float32 each. The others are 0
//           (Aji and Heafield, arXiv 1704.05021, chosen block by block).
//   onebit  blocks of kOneBitBlock numbers: a float32, the mean of their sizes, then a bit each, set for a
//           negative one, lowest bit first (Seide et al. 2014; the scale as in arXiv 1901.09847).
//
// NaN and infinity stay what they are in fp16, bf16 and topk, and make a whole int8 or onebit block NaN.
// All numbers are little-endian and lie at any byte. Pure functions; every processor gives the same bits.

constexpr size_t kInt8Block = 256;
constexpr size_t kTopkBlock = 4096;
constexpr size_t kTopkShare = 64;
constexpr size_t kOneBitBlock = 256;

// Whether what the codec leaves out must be added to the next numbers (error feedback), or nothing
// would be learnt of it.
inline bool NeedsFeedback(Codec codec) { return codec == TOPK || codec == ONEBIT; }

// How many bytes `n` floats become. CODEC_UNSPECIFIED is none.
size_t EncodedBytes(Codec codec, size_t n);

// Writes EncodedBytes(codec, n) bytes to `out`.
void EncodeFloats(Codec codec, const float* values, size_t n, uint64_t seed, char* out);

// Encodes `values` plus `held_back` (n floats), and leaves in held_back what the encoding leaves out. A
// chunk with NaN or infinity in it holds nothing back.
void EncodeWithFeedback(Codec codec, const float* values, size_t n, uint64_t seed, float* held_back,
                        char* out);

// Whether bytes of the right number can be decoded: the places in topk blocks are in order.
bool WellFormed(Codec codec, const Fragments& encoded, size_t n);

// Reads encoded floats front to back, block by block, where the network left them. Not thread-safe;
// `encoded` must outlive the reader.
class FloatDecoder {
 public:
  // The largest block, and what all but the last must be a multiple of.
  static constexpr size_t kMaxBlock = 4096;

  // `encoded` holds EncodedBytes(codec, n) bytes for some n.
  FloatDecoder(Codec codec, const Fragments& encoded) : codec_(codec), bytes_(encoded) {}

  // The next `count` floats, at most kMaxBlock of them, or any number of unencoded ones: a pointer to
  // where they lie aligned in one piece, else `scratch` (`count` floats) filled with them.
  const float* Next(size_t count, float* scratch);

  // What follows is encoded in another way.
  void SetCodec(Codec codec) { codec_ = codec; }

 private:
  Codec codec_;
  FloatReader bytes_;
};

// The same in one go, to `out`.
void DecodeFloats(Codec codec, const Fragments& encoded, size_t n, float* out);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CODEC_CODEC_H_
