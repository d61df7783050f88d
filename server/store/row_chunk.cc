#include "server/store/row_chunk.h"

#include <deque>
#include <utility>
#include <vector>

#include "common/codec/codec.h"
#include "common/status/status_macros.h"
#include "common/tensor/buffer.h"
#include "common/tensor/keys.h"

namespace syncline {

ChunkContent RowChunk::content() const {
  ChunkContent content{slot_.Snapshot(), {}, slot_.erased()};
  if (Fragments counts = slot_.AdmissionState(); !counts.empty()) content.state.push_back(std::move(counts));
  return content;
}

absl::Status RowChunk::Restore(uint64_t version, const ChunkContent& content) {
  SYNCLINE_RETURN_IF_ERROR(slot_.Restore(version, content.weights));
  if (!content.state.empty()) slot_.RestoreAdmission(content.state[0]).IgnoreError();
  return absl::OkStatus();
}

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
