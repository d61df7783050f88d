#include "server/store/row_chunk.h"

#include <deque>
#include <vector>

#include "common/codec/codec.h"
#include "common/tensor/buffer.h"
#include "common/tensor/keys.h"

namespace syncline {

void RowChunk::Update(absl::Span<const Contribution> gradients, const UpdateSettings& settings) {
  std::deque<Keys> keys;
  std::deque<Fragments> decoded;
  std::vector<RowGradients> pushes;
  for (const Contribution& contribution : gradients) {
    keys.emplace_back(*contribution.keys);
    const Fragments* rows = contribution.gradient;
    if (contribution.codec > CODEC_NONE && !rows->empty()) {
      const size_t elements = keys.back().size() * slot_.format().dim();
      Buffer floats = Buffer::Allocate(elements * sizeof(float));
      DecodeFloats(contribution.codec, *rows, elements, floats.floats());
      rows = &decoded.emplace_back(floats.Share());
    }
    pushes.push_back({keys.back().get(), rows, contribution.weight});
  }
  slot_.Update(pushes, settings);
  if (slot_.version() % kEvictionInterval == 0) slot_.Erase(RowsToEvict(slot_, eviction_));
}

}  // namespace syncline
