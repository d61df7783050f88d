#include "worker/client/gradient_encoder.h"

#include <utility>

#include "common/codec/row_codec.h"
#include "common/tensor/buffer.h"

namespace syncline {

GradientEncoder::GradientEncoder(std::vector<TensorCodecs> codecs, std::vector<ChunkInfo> chunks,
                                 uint64_t seed, Rank rank)
    : codecs_(std::move(codecs)),
      chunks_(std::move(chunks)),
      seed_((seed << 48) ^ (uint64_t{rank} << 56)),
      held_back_(chunks_.size()) {
  for (const ChunkInfo& chunk : chunks_) {
    if (remembers(chunk.id)) held_back_[chunk.id].resize(chunk.elements);
  }
}

bool GradientEncoder::remembers(uint32_t chunk) const { return NeedsFeedback(codec(chunk)); }

Fragments GradientEncoder::Encode(uint32_t chunk, Clock clock, const float* gradient) {
  const size_t elements = chunks_[chunk].elements;
  Buffer encoded = Buffer::Allocate(EncodedBytes(codec(chunk), elements));
  const uint64_t seed = SeedOf(chunk, clock);
  if (remembers(chunk)) {
    EncodeWithFeedback(codec(chunk), gradient, elements, seed, held_back_[chunk].data(),
                       encoded.data());
  } else {
    EncodeFloats(codec(chunk), gradient, elements, seed, encoded.data());
  }
  return encoded.Share();
}

Fragments GradientEncoder::EncodeRows(uint32_t chunk, Clock clock, const float* gradients, size_t count,
                                      size_t dim) const {
  Buffer encoded = Buffer::Allocate(count * EncodedRowBytes(codec(chunk), dim));
  syncline::EncodeRows(codec(chunk), gradients, count, dim, SeedOf(chunk, clock), encoded.data());
  return encoded.Share();
}

}  // namespace syncline
