#ifndef SYNCLINE_WORKER_CLIENT_GRADIENT_ENCODER_H_
#define SYNCLINE_WORKER_CLIENT_GRADIENT_ENCODER_H_

#include <cstdint>
#include <vector>

#include "common/cluster/ids.h"
#include "common/cluster/shard_map.h"
#include "common/codec/tensor_codecs.h"
#include "common/tensor/fragments.h"

namespace syncline {

// Writes a worker's gradients as the job says, and keeps what codecs with error feedback hold back
// (Seide et al. 2014; Karimireddy et al., arXiv 1901.09847): that is added to the next gradient of
// the chunk. A worker that dies loses what it held back, as it loses the gradient it was computing; one
// that leaves hands it in (StateKeeper).
//
// Chunks may be encoded on several threads at a time, each on one.
class GradientEncoder {
 public:
  // `codecs` by tensor; `chunks` by id.
  GradientEncoder(std::vector<TensorCodecs> codecs, std::vector<ChunkInfo> chunks, uint64_t seed,
                  Rank rank);

  Codec codec(uint32_t chunk) const { return codecs_[chunks_[chunk].tensor].push; }
  // The encoding depends on what was encoded before: make it once a clock and keep it for retries.
  bool remembers(uint32_t chunk) const;

  // What is held back of a chunk that remembers: as many floats as it has elements. Nothing may be
  // encoded while it is read or written.
  float* held_back(uint32_t chunk) { return held_back_[chunk].data(); }

  // `gradient` of a coded chunk: the same bytes for the same clock, unless it remembers.
  Fragments Encode(uint32_t chunk, Clock clock, const float* gradient);
  // Of a table's slot: gradients [count, dim], each row by itself. Any number of threads.
  Fragments EncodeRows(uint32_t chunk, Clock clock, const float* gradients, size_t count, size_t dim) const;

 private:
  uint64_t SeedOf(uint32_t chunk, Clock clock) const { return seed_ ^ (clock << 24) ^ chunk; }

  const std::vector<TensorCodecs> codecs_;
  const std::vector<ChunkInfo> chunks_;
  const uint64_t seed_;
  std::vector<std::vector<float>> held_back_;  // by chunk; empty where nothing is
};

}  // namespace syncline

#endif  // SYNCLINE_WORKER_CLIENT_GRADIENT_ENCODER_H_
