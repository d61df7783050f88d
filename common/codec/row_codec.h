#ifndef SYNCLINE_COMMON_CODEC_ROW_CODEC_H_
#define SYNCLINE_COMMON_CODEC_ROW_CODEC_H_

#include <cstddef>
#include <cstdint>

#include "common/codec/codec.h"
#include "common/tensor/fragments.h"
#include "proto/job.pb.h"

namespace syncline {

// Fewer bytes for rows of a table on their way between worker and shard (common/codec/codec.h). Each row of `dim` floats is
// coded by itself, so that in int8 it has a scale of its own (one for each 256 floats), and a large row costs the others
// no precision. `codec` is one that a row may have.
//
// There is no error feedback: what a worker would hold back of a row would lie with it until the row comes again, at another
// worker perhaps, and take as much memory as all rows that it ever pushed. Nor is it needed: int8 rounds up or down at random,
// so that the mean is right, and what fp16 and bf16 lose by rounding to nearest is below the noise of a gradient.

// Whether rows may be coded so: by none, fp16, bf16 or int8.
inline bool CodesRows(Codec codec) { return !NeedsFeedback(codec); }

// Bytes of each row.
inline size_t EncodedRowBytes(Codec codec, size_t dim) { return EncodedBytes(codec, dim); }

// Rows [count, dim] to count * EncodedRowBytes bytes. What is rounded at random depends on `seed` and the places alone.
void EncodeRows(Codec codec, const float* rows, size_t count, size_t dim, uint64_t seed, char* out);

// And back.
void DecodeRows(Codec codec, const Fragments& encoded, size_t count, size_t dim, float* out);

}  // namespace syncline

#endif  // SYNCLINE_COMMON_CODEC_ROW_CODEC_H_
